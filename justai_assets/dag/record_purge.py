"""What Dagster keeps for ever, removed by age: runs, events, evaluations of conditions, logs of steps, scratch files.

What the state of a day is made of stays, however old: the newest materialization, plan and check of each partition,
and the runs that failed, by which a day is known to be left failed.
"""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.schedules.schema import AssetDaemonAssetEvaluationsTable
from pydantic import Field

NAME = "purge_records"
CRON = "30 2 * * *"
RUNS_AT_ONCE = 200
SCRATCH = ("justai-attribute-*", "justai-sample-*", "justai-spark-*", ".justai-spill-*")
SCRATCH_AGE = timedelta(days=2)
"""No run lasts so long: max_runtime_seconds in deploy/dagster.yaml."""

OF_A_DAY = [
    dg.DagsterEventType.ASSET_MATERIALIZATION.value,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
    dg.DagsterEventType.ASSET_OBSERVATION.value,
    dg.DagsterEventType.ASSET_FAILED_TO_MATERIALIZE.value,
]


class Retention(dg.Config):
    """How long records are kept, in days.

    Attributes:
        runs: finished runs, their events and the logs of their steps.
        failed_runs: the records of runs that failed, without their events.
        evaluations: what the automation found at each tick.
        dry_run: count, and remove nothing.
    """

    runs: int = Field(default=30, ge=2, le=3650)
    failed_runs: int = Field(default=365, ge=30, le=3650)
    evaluations: int = Field(default=7, ge=1, le=3650)
    dry_run: bool = False


@dg.op(description="Removes old runs, events, evaluations, logs of steps and scratch files.")
def purge(context: dg.OpExecutionContext, config: Retention) -> None:
    """Remove what is older than the retention; says how much."""
    found = purge_instance(context.instance, config, datetime.now(UTC))
    word = "would be removed" if config.dry_run else "removed"
    for what, number in found.items():
        context.log.info(f"{what}: {number} {word}")
    context.add_output_metadata({**found, "dry run": config.dry_run})


@dg.job(
    name=NAME,
    description="Removes old records of this instance. With dry_run in the launchpad it only counts.",
    executor_def=dg.in_process_executor,
)
def purge_records() -> None:
    """Removal of old records."""
    purge()


def purge_schedule() -> dg.ScheduleDefinition:
    """Every night at 02:30 UTC. Several code locations do it one after another; the later ones find nothing."""
    return dg.ScheduleDefinition(
        name=NAME,
        job=purge_records,
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes old runs, events, evaluations, logs of steps and scratch files.",
    )


def purge_instance(instance: dg.DagsterInstance, kept: Retention, now: datetime) -> dict[str, int]:
    """Remove what is older than the retention; how much of each kind."""
    found: Counter[str] = Counter({"runs": 0, "events": 0, "checks": 0, "evaluations": 0, "scratch": 0})
    before = now - timedelta(days=kept.runs)
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage), "every storage of Dagster's is one"
    for runs in _finished(instance, before):
        ids = [record.dagster_run.run_id for record in runs]
        found["events"] += _events_of_runs(instance, storage, ids, dry_run=kept.dry_run)
        for record in runs:
            is_old = record.create_timestamp < now - timedelta(days=kept.failed_runs)
            if record.dagster_run.status == dg.DagsterRunStatus.FAILURE and not is_old:
                continue
            found["runs"] += 1
            if not kept.dry_run:
                # The run alone: with `instance.delete_run` would go the materializations of its days.
                instance.run_storage.delete_run(record.dagster_run.run_id)
    found["events"] += _superseded_events(storage, before, dry_run=kept.dry_run)
    found["checks"] += _superseded_checks(storage, before, dry_run=kept.dry_run)
    found["evaluations"] += _evaluations(instance, now - timedelta(days=kept.evaluations), dry_run=kept.dry_run)
    found["scratch"] += _scratch(Path(tempfile.gettempdir()), dry_run=kept.dry_run)
    return dict(found)


def _finished(instance: dg.DagsterInstance, before: datetime) -> Iterator[Sequence[dg.RunRecord]]:
    statuses = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    filters = dg.RunsFilter(statuses=statuses, created_before=before)
    records = instance.get_run_records(filters)
    for start in range(0, len(records), RUNS_AT_ONCE):
        yield records[start : start + RUNS_AT_ONCE]


def _events_of_runs(
    instance: dg.DagsterInstance, storage: SqlEventLogStorage, ids: Sequence[str], *, dry_run: bool
) -> int:
    events = SqlEventLogStorageTable.c
    kind = events.dagster_event_type
    rows = events.run_id.in_(ids) & (kind.is_(None) | kind.not_in(OF_A_DAY))
    removed = _remove(storage, SqlEventLogStorageTable, rows, dry_run=dry_run)
    for run_id in ids:
        if isinstance(storage, SqliteEventLogStorage):
            # All events of a run in one file; those of its days are in the index as well.
            shard = Path(storage.path_for_shard(run_id))
            removed += shard.is_file()
            if not dry_run:
                shard.unlink(missing_ok=True)
        if not dry_run:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
    return removed


def _superseded_events(storage: SqlEventLogStorage, before: datetime, *, dry_run: bool) -> int:
    events = SqlEventLogStorageTable.c
    kind = events.dagster_event_type
    latest = (
        sa.select(sa.func.max(events.id))
        .where(kind.in_(OF_A_DAY), events.asset_key.is_not(None))
        .group_by(events.asset_key, events.partition, kind)
    )
    # Timestamps are stored in UTC without a zone.
    old = kind.in_(OF_A_DAY) & (events.timestamp < before.replace(tzinfo=None)) & events.id.not_in(latest)
    removed = _remove(storage, SqlEventLogStorageTable, old, dry_run=dry_run)
    if removed and not dry_run:
        tags = AssetEventTagsTable.c
        _remove(storage, AssetEventTagsTable, tags.event_id.not_in(sa.select(events.id)), dry_run=False)
    return removed


def _superseded_checks(storage: SqlEventLogStorage, before: datetime, *, dry_run: bool) -> int:
    checks = AssetCheckExecutionsTable.c
    latest = sa.select(sa.func.max(checks.id)).group_by(checks.asset_key, checks.check_name, checks.partition)
    old = (checks.create_timestamp < before.replace(tzinfo=None)) & checks.id.not_in(latest)
    return _remove(storage, AssetCheckExecutionsTable, old, dry_run=dry_run)


def _remove(storage: SqlEventLogStorage, table: sa.Table, rows: sa.ColumnElement[bool], *, dry_run: bool) -> int:
    with storage.index_connection() as connection:
        found = connection.execute(sa.select(sa.func.count()).select_from(table).where(rows)).scalar_one()
        if found and not dry_run:
            connection.execute(sa.delete(table).where(rows))
    return int(found)


def _evaluations(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    storage: Any = instance.schedule_storage
    table = AssetDaemonAssetEvaluationsTable
    with storage.connect() as connection:
        rows = (
            sa.select(sa.func.count()).select_from(table).where(table.c.create_timestamp < before.replace(tzinfo=None))
        )
        found = connection.execute(rows).scalar_one()
    if found and not dry_run:
        storage.purge_asset_evaluations(before.timestamp())
    return int(found)


def _scratch(folder: Path, *, dry_run: bool) -> int:
    """Folders of ours that a killed run left in the system's folder for temporary files."""
    limit = time.time() - SCRATCH_AGE.total_seconds()
    removed = 0
    for pattern in SCRATCH:
        for path in folder.glob(pattern):
            if path.is_dir() and not path.is_symlink() and path.stat().st_mtime < limit:
                removed += 1
                if not dry_run:
                    shutil.rmtree(path, ignore_errors=True)
    return removed
