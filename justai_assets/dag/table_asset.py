"""One table of an org as an asset, whatever makes its days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg

from justai_assets.attempts import tried
from justai_assets.contract.days import Days, spans
from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import FATES, QUARANTINE, Table
from justai_assets.dag.automation_condition import rebuild_when_upstream_changes
from justai_assets.dag.metadata import (
    COLUMN_SCHEMA,
    WIDE,
    column_schema,
    definition_metadata,
    reporter,
    run_metadata,
)
from justai_assets.dag.org_keys import OWNER, group_of, landing_key, pool_of, table_key
from justai_assets.dag.partitions import daily, days_around, days_of
from justai_assets.dag.resources import Platform
from justai_assets.dag.run_retries import verdicts
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.compaction import SUPERSEDED, remove_superseded
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import landed_in, reads

BETWEEN_COMMITS = 3.0
"""Seconds that a run which is between its commits is given to make them."""


@dataclass(frozen=True)
class DaysRun:
    """One run over days of a table.

    Attributes:
        context: the run.
        platform: the roots.
        days: the days to replace.
        note: for the commits' metadata.
        on_day: to be called with each day that is written, before the commit.
    """

    context: dg.AssetExecutionContext
    platform: Platform
    days: Days
    note: dict[str, str]
    on_day: Callable[[DayReport], None]


Build = Callable[[DaysRun], list[DayReport]]
"""Replaces the days and reports them."""


class TornDaysError(StorageError):
    """Days to be read whose run ended between its commits."""

    code = "torn_days"


def refuse_torn(lake: Lake, org: Org, days: Days, table: Table) -> None:
    """Refuse to read days that a run left half done: what is counted on them is wrong, and nothing would say so.

    Days that were never built are no reason: an org has days on which nothing landed, and those before it began.

    Raises:
        TornDaysError: naming the days and what builds them.
    """
    for one in reads(org, table):
        read = Days(days.first - timedelta(days=one.back), days.last + timedelta(days=one.ahead))
        # A run that is between its commits just now is done with them within a second.
        tried(
            partial(_refuse_torn, lake, org, one.table, read),
            TornDaysError,
            2,
            first_wait=BETWEEN_COMMITS,
            longest_wait=BETWEEN_COMMITS,
        )


def _refuse_torn(lake: Lake, org: Org, table: Table, days: Days) -> None:
    torn = _torn(lake, org, table, days)
    if torn:
        raise TornDaysError(
            f"{org.slug}/{table.name} of {spans(torn)} is half written: a run ended between its commits",
            mend=f"build it again: justai materialize --org {org.slug} --from {torn[0]} --to {torn[-1]} "
            f"--asset {table.name}",
        )


def _torn(lake: Lake, org: Org, table: Table, days: Days) -> list[date]:
    return sorted(day for day in BuiltDays.of(lake, org.slug, table).torn if day in days)


def upstream_deps(org: Org, table: Table) -> list[dg.AssetDep]:
    """What a table is made of: landed objects of its sources, day by day, and the tables that it reads."""
    landed = [
        dg.AssetDep(landing_key(org.slug, source), partition_mapping=days_around()) for source in landed_in(org, table)
    ]
    made = [
        dg.AssetDep(table_key(org.slug, one.table), partition_mapping=days_around(one.back, one.ahead))
        for one in reads(org, table)
    ]
    return [*landed, *made]


def table_asset(
    org: Org,
    table: Table,
    build: Build,
    *,
    is_automated: bool = True,
    engine: str = "polars",
    freshness_policy: dg.FreshnessPolicy | None = None,
) -> dg.AssetsDefinition:
    """One table as an asset: a ranged run is one call and one commit. Its upstream comes from the lineage.

    Args:
        org: the org.
        table: the table.
        build: replaces the days and reports them.
        is_automated: rebuild when upstream changes; false for what something else keeps up to date.
        engine: what makes it, shown in the UI.
        freshness_policy: of a table that is itself what comes from outside.
    """
    is_wide = len(table.columns) >= WIDE

    @dg.asset(
        key=table_key(org.slug, table),
        deps=upstream_deps(org, table),
        partitions_def=daily(org.start_date),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=rebuild_when_upstream_changes(batch_minutes=org.batch_minutes) if is_automated else None,
        pool=pool_of(org.slug, table),
        group_name=group_of(org.slug),
        kinds={engine, "deltalake"},
        tags={"org": org.slug, "personal": "yes" if table.personal else "no"},
        owners=[OWNER],
        description=table.doc,
        freshness_policy=freshness_policy,
        metadata=definition_metadata(org.slug, declared(org, table), with_columns=not is_wide),
    )
    def table_days(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        days = days_of(context)
        note = {"run_id": context.run.run_id, "org": org.slug}
        with verdicts(context.retry_number):
            if columns := platform.lake().columns_of_another_version(org.slug, table):
                context.log.warning(
                    f"{org.slug}/{table.name} has columns of another version: {', '.join(columns)}; days that this "
                    "one builds have no value there, so build them again after the upgrade"
                )
            refuse_torn(platform.lake(), org, days, table)
            reports = build(DaysRun(context, platform, days, note, reporter(context, len(days))))
        now = datetime.now(UTC)
        current = [day for day in days if day >= now.date() - timedelta(days=1)]
        if current:
            # What the batch before the last one replaced: whoever read that one began before the last, and is done.
            keep = max(SUPERSEDED, timedelta(minutes=org.batch_minutes) * 4 / 3)
            for one in (table, FATES, QUARANTINE):
                remove_superseded(platform.lake(), org.slug, one, current, now=now, keep=keep)
        shown = declared(org, table)
        metadata = run_metadata(platform.lake(), org.slug, shown, days, reports)
        return dg.MaterializeResult(metadata={**metadata, **({COLUMN_SCHEMA: column_schema(shown)} if is_wide else {})})

    return table_days
