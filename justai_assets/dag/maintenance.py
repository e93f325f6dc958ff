"""Nightly upkeep of the lake: small files merged, unreferenced files removed, one run an org."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC

import dagster as dg
from pydantic import Field

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import TABLES, Table
from justai_assets.dag.org_keys import pool_of, table_key, table_keys
from justai_assets.dag.pools import slot
from justai_assets.dag.resources import Platform
from justai_assets.lake.compaction import MIN_RETENTION_DAYS, TARGET_BYTES, compact, remove_unreferenced
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.settings import Settings

CRON = "0 3 * * *"
WAIT_SECONDS = 1800.0
"""How long a table that is being written is waited for; the next night takes it otherwise."""


class Upkeep(dg.Config):
    """What to maintain.

    Attributes:
        org: the org's slug.
        retention_days: files that no version younger than this refers to are deleted.
        target_mb: size up to which the files of a day are merged.
    """

    org: str
    retention_days: int = Field(default=MIN_RETENTION_DAYS, ge=MIN_RETENTION_DAYS, le=3650)
    target_mb: int = Field(default=TARGET_BYTES >> 20, ge=128, le=512)


@dg.op(description="Merges the small files of every day and removes files that nothing refers to, table by table.")
def maintain_tables(context: dg.OpExecutionContext, config: Upkeep, platform: Platform) -> None:
    """Maintain every table of an org, each in its writers' pool; one that fails does not stop the others."""
    org = Settings.from_environment().orgs().get(config.org)
    materialized = table_keys(org)
    failed: list[str] = []
    done: dict[str, str] = {}
    lake = platform.lake()
    for table in TABLES.values():
        with slot(context.instance, context.run, pool_of(org.slug, table), wait_seconds=WAIT_SECONDS) as is_held:
            if not is_held:
                context.log.warning(f"{table.name} is being written; the next round takes it")
                done[table.name] = "skipped: being written"
                continue
            try:
                metadata = _maintain(lake, org, table, config)
            except JustAIError:
                context.log.exception(table.name)
                failed.append(table.name)
                continue
        done[table.name] = ", ".join(f"{name} {value}" for name, value in metadata.items())
        if table_key(org.slug, table) in materialized:
            context.log_event(dg.AssetObservation(table_key(org.slug, table), metadata=metadata))
    context.add_output_metadata(done)
    if failed:
        raise dg.Failure(f"{org.slug}: maintenance of {', '.join(failed)} failed; see the log")


def _maintain(lake: Lake, org: Org, table: Table, config: Upkeep) -> dict[str, int]:
    merged = compact(lake, org.slug, table, config.target_mb << 20)
    removed = remove_unreferenced(lake, org.slug, table, config.retention_days)
    return {
        "days merged": merged.days,
        "files merged": merged.files_before,
        "files after": merged.files_after,
        "days skipped": len(merged.skipped),
        "files removed": len(removed),
    }


@dg.job(
    name="maintain_org",
    description="Upkeep of one org's tables. Start it by hand with the org's slug in the launchpad.",
    executor_def=dg.in_process_executor,
)
def maintain_org() -> None:
    """Upkeep of one org."""
    maintain_tables()


def maintenance_schedule(orgs: Sequence[Org]) -> dg.ScheduleDefinition:
    """Every night at 03:00 UTC, one run an org. JUSTAI_RETENTION_DAYS keeps unreferenced files longer than a week."""

    @dg.schedule(
        name="maintain_lake",
        cron_schedule=CRON,
        execution_timezone="UTC",
        job=maintain_org,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Merges small files and removes unreferenced ones, one run an org.",
    )
    def maintain_lake(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        night = context.scheduled_execution_time.astimezone(UTC).date()
        days = int(os.environ.get("JUSTAI_RETENTION_DAYS") or MIN_RETENTION_DAYS)
        for org in orgs:
            yield dg.RunRequest(
                run_key=f"{org.slug}:{night}",
                run_config=dg.RunConfig({"maintain_tables": Upkeep(org=org.slug, retention_days=days)}),
                tags={"org": org.slug},
            )

    return maintain_lake
