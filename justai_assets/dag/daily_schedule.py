"""The safety net under the sensors: every day, the last three days of every org, one ranged run an org."""

from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta

import dagster as dg

from justai_assets.contract.days import Days
from justai_assets.dag.org_keys import table_keys
from justai_assets.dag.partitions import range_tags
from justai_assets.dag.result_assets import results_keys
from justai_assets.dag.undated_asset import NAME
from justai_assets.orgs.org_model import Org

DAYS_BACK = 3
"""Customers re-export the last two to three days."""

CRON = "0 5 * * *"


def daily_refresh(orgs: Sequence[Org]) -> dg.ScheduleDefinition:
    """Every day at 05:00 UTC: the last three whole days of every org, its undated records and its report.

    The report of that run shows the numbers as they are when it starts; once the days are rebuilt, automation makes it
    again within the hour.
    """

    @dg.schedule(
        name="refresh_last_days",
        cron_schedule=CRON,
        execution_timezone="UTC",
        # The implicit job over all assets: a job of our own would need one partitions definition for every org.
        job_name="__ASSET_JOB",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Rebuilds the last {DAYS_BACK} whole days of every org, one ranged run each, and its report.",
    )
    def refresh_last_days(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        for org in orgs:
            first = max(today - timedelta(days=DAYS_BACK), org.start_date)
            last = today - timedelta(days=1)
            if first > last:
                continue
            yield dg.RunRequest(
                run_key=f"{org.slug}:{today}",
                asset_selection=list(table_keys(org)),
                tags={"org": org.slug, **range_tags(Days(first, last))},
            )
            yield dg.RunRequest(
                run_key=f"{org.slug}:{today}:undated",
                asset_selection=[dg.AssetKey([org.slug, NAME]), *results_keys(org)],
                tags={"org": org.slug},
            )

    return refresh_last_days
