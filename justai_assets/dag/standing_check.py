"""The standing check: no day of any table is left failed. Every hour, over all orgs, whatever else runs or not."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from justai_assets.contract.days import Days, spans
from justai_assets.dag.failed_days_check import failed_marts, suspect_tables, unfinished_days
from justai_assets.dag.org_files import org_files_key
from justai_assets.dag.org_keys import pools_of
from justai_assets.dag.pools import ensure_pools
from justai_assets.orgs.org_model import Org

NAME = "no_days_left_failed"
JOB = "check_failed_days"


def failed_days_check(orgs: Sequence[Org]) -> dg.AssetChecksDefinition:
    """Lists, per org and table, the days whose last attempt failed."""

    @dg.asset_check(
        asset=org_files_key(),
        name=NAME,
        description=(
            "No day of any table is left failed. Mend: read the failed run, mend its cause, then "
            "`justai backfill --org … --from … --to … --only-failed`."
        ),
    )
    def no_days_left_failed(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        # Here, because it is the one step that runs every hour and knows every org.
        ensure_pools(context.instance, (pool for org in orgs for pool in pools_of(org)))
        today = datetime.now(UTC).date()
        lines: list[str] = []
        days = 0
        suspects = suspect_tables(context.instance)
        for org in orgs:
            if org.start_date > today:
                continue
            for table in unfinished_days(context.instance, org, Days(org.start_date, today), only=suspects):
                days += len(table.failed)
                if table.failed:
                    lines.append(f"- {'/'.join(table.key.path)}: {spans(table.failed)}")
        for mart in failed_marts(context.instance, [org for org in orgs if org.start_date <= today], today, suspects):
            days += len(mart.failed)
            lines.append(f"- {'/'.join(mart.key.path)}: {spans(mart.failed)}")
        metadata: dict[str, dg.MetadataValue | int] = {"failed days": days, "tables": len(lines), "orgs": len(orgs)}
        if lines:
            metadata["problems"] = dg.MetadataValue.md("\n".join(lines))
        return dg.AssetCheckResult(
            passed=not lines,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{days} days of {len(lines)} tables are left failed" if lines else None,
            metadata=metadata,
        )

    return no_days_left_failed


def standing_schedule() -> dg.ScheduleDefinition:
    """Every hour, ten minutes past: the standing check, and the org files with their own."""
    return dg.ScheduleDefinition(
        name="check_platform",
        job=dg.define_asset_job(
            JOB, selection=dg.AssetSelection.assets(org_files_key()), description="The org files, and days left failed."
        ),
        cron_schedule="10 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Reads the org files and lists the days that were left failed.",
    )
