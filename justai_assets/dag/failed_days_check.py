"""Days that were left failed or unsound, and days that were never materialized, as the instance knows them."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from sqlalchemy import select

from justai_assets.contract.days import Days
from justai_assets.dag.day_checks import DAY_CHECKS, blocking_checks
from justai_assets.dag.org_keys import table_keys
from justai_assets.dag.partitions import daily
from justai_assets.orgs.org_model import Org

_PLANNED, _FAILED = AssetCheckExecutionRecordStatus.PLANNED, AssetCheckExecutionRecordStatus.FAILED

_PLANNED_EVENT = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
_RUNS_A_QUERY = 500
MARTS = "marts"


@dataclass(frozen=True)
class TableDays:
    """Days of one table: which are left failed, and which were never materialized (nor are being)."""

    key: dg.AssetKey
    failed: tuple[date, ...]
    missing: tuple[date, ...]


def unfinished_days(
    instance: dg.DagsterInstance, org: Org, days: Days, *, only: Container[dg.AssetKey] | None = None
) -> list[TableDays]:
    """Per table of an org, the days of a range that are failed or missing; upstream tables first.

    A day that succeeded and then failed is failed: the table still holds what it held, which may be out of date. So is
    a day that was written and whose blocking check then failed or was not carried out: what is below waits for it. A
    day that is in progress is neither.

    Args:
        instance: the instance.
        org: the org.
        days: the range.
        only: tables to look at; all when None.
    """
    partitions = daily(org.start_date)
    names = [day.isoformat() for day in days if day >= org.start_date]
    found = []
    for key in table_keys(org):
        if only is not None and key not in only:
            continue
        status = instance.get_status_by_partition(key, names, partitions) or {}
        unsound = _unsound_days(instance, org, key)
        failed = [
            name
            for name in names
            if status.get(name) == AssetPartitionStatus.FAILED
            or (status.get(name) == AssetPartitionStatus.MATERIALIZED and name in unsound)
        ]
        missing = [name for name in names if status.get(name) is None]
        found.append(TableDays(key, _dates(failed), _dates(missing)))
    return found


def _unsound_days(instance: dg.DagsterInstance, org: Org, key: dg.AssetKey) -> set[str]:
    """Days of which a blocking check has failed or was not carried out: its run died, or could not read the table."""
    # Dagster's own state of a check says the same, but builds sets of partitions: 0.5 ms a day and check.
    found = instance.event_log_storage.get_asset_check_partition_info(list(blocking_checks(org, key)))
    planned = {one.latest_planned_run_id for one in found if one.latest_execution_status == _PLANNED}
    died = set()
    if planned:
        failed = dg.RunsFilter(run_ids=sorted(planned), statuses=[dg.DagsterRunStatus.FAILURE])
        died = {run.run_id for run in instance.get_runs(failed)}
    return {
        one.partition_key
        for one in found
        if one.partition_key is not None
        and (
            (one.latest_execution_status == _FAILED and one.is_current)
            or (one.latest_execution_status == _PLANNED and one.latest_planned_run_id in died)
        )
    }


def failed_by_org(orgs: Iterable[Org], *, today: date) -> dict[str, dict[str, tuple[date, ...]]]:
    """Slug → table → failed days from the org's start to today, in the instance of DAGSTER_HOME."""
    with dg.DagsterInstance.get() as instance:
        suspects = suspect_tables(instance)
        begun = [org for org in orgs if org.start_date <= today]
        found = {
            org.slug: {
                str(table.key.path[-1]): table.failed
                for table in unfinished_days(instance, org, Days(org.start_date, today), only=suspects)
            }
            for org in begun
        }
        marts = failed_marts(instance, begun, today, suspects)
        return {**found, MARTS: {str(one.key.path[-1]): one.failed for one in marts}} if marts else found


def failed_marts(
    instance: dg.DagsterInstance, orgs: Sequence[Org], today: date, suspects: Iterable[dg.AssetKey]
) -> list[TableDays]:
    """The marts with failed days. A build that failed left them as they were: out of date, and not half built."""
    if not orgs:
        return []
    first = min(org.start_date for org in orgs)
    names = [day.isoformat() for day in Days(first, today)]
    found = []
    for key in sorted(one for one in suspects if one.path[0] == MARTS):
        status = instance.get_status_by_partition(key, names, daily(first)) or {}
        failed = _dates(name for name in names if status.get(name) == AssetPartitionStatus.FAILED)
        if failed:
            found.append(TableDays(key, failed, ()))
    return found


def suspect_tables(instance: dg.DagsterInstance) -> set[dg.AssetKey]:
    """Tables that may hold a failed day: a failed run was to write them, or a check that blocks was not passed.

    A few queries for all orgs. What is known of each day is then asked of these tables alone: of all tables of 200
    orgs it is a minute of work.
    """
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage), "every storage of Dagster's is one"
    failed = instance.get_run_ids(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    blocking = [check.name for check in DAY_CHECKS if check.is_blocking]
    queries = [
        select(events.asset_key).distinct().where(events.dagster_event_type == _PLANNED_EVENT, events.run_id.in_(some))
        for some in (failed[start : start + _RUNS_A_QUERY] for start in range(0, len(failed), _RUNS_A_QUERY))
    ]
    queries.append(
        select(checks.asset_key)
        .distinct()
        .where(checks.execution_status.in_([_PLANNED.value, _FAILED.value]), checks.check_name.in_(blocking))
    )
    with storage.index_connection() as connection:
        texts: list[str | None] = []
        for query in queries:
            texts += connection.execute(query).scalars()
    return {key for text in texts if (key := dg.AssetKey.from_db_string(text)) is not None}


def _dates(names: Iterable[str]) -> tuple[date, ...]:
    return tuple(date.fromisoformat(name) for name in names)
