"""The assets of one org: what its doors land, and the tables made of it. An org shows only the doors it has."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from justai_assets.attribution.build import build_attributed, build_unified
from justai_assets.contract.days import Days, spans
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    FATES,
    MESSAGE_OUTCOMES,
    QUARANTINE,
    SERVED_COPIES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.automation import rebuild_when_upstream_changes
from justai_assets.dag.databricks.engine import attributed_on_spark, unified_on_spark
from justai_assets.dag.metadata import definition_metadata, reporter, run_metadata
from justai_assets.dag.partitions import around, daily, day_before, days_of, lookback, same_day
from justai_assets.dag.reach import Reach
from justai_assets.dag.resources import Platform
from justai_assets.dag.retries import verdicts
from justai_assets.events.event_stream import stream_tables
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.maintain import remove_superseded
from justai_assets.metrics.build_copy_daily import build_copy_daily
from justai_assets.metrics.daily import build_metrics
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.model import Org
from justai_assets.quality.punctuality import LATE_AFTER, SILENT_AFTER
from justai_assets.sources.build import build_from_doors

LANDING_NAMES = {
    "iterable_webhooks": "iterable_webhooks",
    "journey_webhooks": "journey_webhooks",
    "chameleon_webhooks": "chameleon_webhooks",
    "redshift": "redshift_drop",
    "databricks": "databricks_drop",
    "generate": "generate_records",
}
"""Source → the last part of its landing asset's key."""

GENERATE = "generate"

OWNER = "team:data-platform"

Build = Callable[
    [dg.AssetExecutionContext, Platform, Days, dict[str, str], Callable[[DayReport], None]], list[DayReport]
]


def org_assets(org: Org) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The landing assets and tables of an org."""
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [landing_asset(org, source) for source in landing_sources(org)]
    if org.is_unified:
        if org.engagement in LANDING_NAMES:
            assets.append(_from_doors(org, UNIFIED_EVENTS, (org.engagement,)))
    else:
        assets.append(_from_doors(org, ESP_EVENTS, (org.engagement,)))
        upstream = [(ESP_EVENTS, same_day())]
        if org.custom:
            assets.append(_from_doors(org, CUSTOM_EVENTS, org.custom))
            assets.append(_attributed(org))
            upstream.append((ATTRIBUTED_EVENTS, same_day()))
        assets.append(_unified(org, upstream))
    assets.append(_metrics(org))
    if org.templates:
        assets.append(_from_doors(org, SERVED_COPIES, (GENERATE,)))
    assets.append(_outcomes(org))
    if org.templates:
        assets.append(_copies(org))
    return assets


def landing_sources(org: Org) -> tuple[str, ...]:
    """The sources of an org whose objects lie in the landing zone. Templates are served by Generate."""
    found = tuple(source for source in org.sources.present() if source in LANDING_NAMES)
    return (*found, GENERATE) if org.templates else found


def landing_asset(org: Org, door: str) -> dg.AssetSpec:
    """What a door has landed, day by day: observed, never materialized by us.

    A door of which nothing is reported shows as late; whether files come in time is judged by a check (`late_doors`).
    """
    return dg.AssetSpec(
        dg.AssetKey([org.slug, LANDING_NAMES[door]]),
        partitions_def=daily(org.start_date),
        group_name=group_of(org.slug),
        kinds={"parquet" if door in {"redshift", "databricks"} else "json", "s3"},
        tags={"org": org.slug, "door": door},
        owners=[OWNER],
        description=f"Objects that {door} of {org.slug} has landed, by event_date.",
        # Nobody has to call Generate: that nothing comes from it is no lateness.
        freshness_policy=None if door == GENERATE else in_time(),
    )


def in_time() -> dg.FreshnessPolicy:
    """Of what comes from outside: late after a day, failed after two."""
    return dg.FreshnessPolicy.time_window(warn_window=LATE_AFTER, fail_window=SILENT_AFTER)


def group_of(slug: str) -> str:
    """The asset group of an org: Dagster allows no hyphen in it."""
    return slug.replace("-", "_")


def pool_of(slug: str, table: Table) -> str:
    """The pool that everything which writes a table shares, maintenance included."""
    return f"{group_of(slug)}_{table.name}"


def pools_of(org: Org) -> tuple[str, ...]:
    """The pools of an org's tables, in the order of `table_keys`."""
    return tuple(f"{group_of(org.slug)}_{key.path[-1]}" for key in table_keys(org))


def table_key(slug: str, table: Table) -> dg.AssetKey:
    """The key of an org's table."""
    return dg.AssetKey([slug, table.name])


def table_keys(org: Org) -> tuple[dg.AssetKey, ...]:
    """The keys of the tables that are materialized for an org, upstream first."""
    if org.is_unified:
        mirror = () if org.engagement in LANDING_NAMES else (DELTA_SHARE,)
        tables: tuple[Table, ...] = (*mirror, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    elif org.custom:
        tables = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    else:
        tables = (ESP_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    outcomes = (SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY) if org.templates else (MESSAGE_OUTCOMES,)
    tables = (*tables, *outcomes)
    return tuple(table_key(org.slug, table) for table in tables)


def _from_doors(org: Org, table: Table, doors: tuple[str, ...]) -> dg.AssetsDefinition:
    deps = [dg.AssetDep([org.slug, LANDING_NAMES[door]], partition_mapping=same_day()) for door in doors]

    def build(
        _: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        return build_from_doors(
            org,
            platform.landing(),
            platform.lake(),
            table,
            doors,
            days,
            note=note,
            on_day=on_day,
            accept_empty=platform.accept_empty,
        )

    return table_asset(org, table, deps, build)


def _attributed(org: Org) -> dg.AssetsDefinition:
    deps = [
        dg.AssetDep(table_key(org.slug, ESP_EVENTS), partition_mapping=lookback()),
        dg.AssetDep(table_key(org.slug, CUSTOM_EVENTS), partition_mapping=same_day()),
    ]

    def build(
        context: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        on_day = _saying_what_is_unbuilt(context, org, platform, days, on_day)
        if org.engine == "databricks":
            return attributed_on_spark(context, org, platform.lake(), days, note, on_day)
        budget = platform.memory_budget()
        return build_attributed(org, platform.lake(), days, note=note, memory_budget=budget, on_day=on_day)

    return table_asset(org, ATTRIBUTED_EVENTS, deps, build, engine=org.engine)


def _unified(org: Org, upstream: list[tuple[Table, dg.TimeWindowPartitionMapping]]) -> dg.AssetsDefinition:
    deps = [dg.AssetDep(table_key(org.slug, table), partition_mapping=mapping) for table, mapping in upstream]

    def build(
        context: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        if org.engine == "databricks":
            return unified_on_spark(context, org, platform.lake(), days, note, on_day)
        return build_unified(org, platform.lake(), days, note=note, on_day=on_day)

    return table_asset(org, UNIFIED_EVENTS, deps, build, engine=org.engine)


def _metrics(org: Org) -> dg.AssetsDefinition:
    if org.is_unified:
        deps = [dg.AssetDep(table_key(org.slug, UNIFIED_EVENTS), partition_mapping=lookback())]
    else:
        tables = [ESP_EVENTS, *([ATTRIBUTED_EVENTS] if org.custom else [])]
        deps = [dg.AssetDep(table_key(org.slug, table), partition_mapping=same_day()) for table in tables]

    def build(
        context: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        if org.is_unified:
            on_day = _saying_what_is_unbuilt(context, org, platform, days, on_day)
        return build_metrics(
            org,
            platform.lake(),
            days,
            note=note,
            on_day=on_day,
            now=datetime.now(UTC),
            landing=platform.landing(),
        )

    return table_asset(org, ATTRIBUTION_METRICS, deps, build)


def _outcomes(org: Org) -> dg.AssetsDefinition:
    deps = [dg.AssetDep(table_key(org.slug, table), partition_mapping=around()) for table in stream_tables(org)]
    if org.templates:
        deps.append(dg.AssetDep(table_key(org.slug, SERVED_COPIES), partition_mapping=day_before()))

    def build(
        _: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        return build_message_outcomes(org, platform.lake(), days, note=note, on_day=on_day)

    return table_asset(org, MESSAGE_OUTCOMES, deps, build)


def _copies(org: Org) -> dg.AssetsDefinition:
    deps = [dg.AssetDep(table_key(org.slug, MESSAGE_OUTCOMES), partition_mapping=same_day())]

    def build(
        _: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        return build_copy_daily(
            org,
            platform.lake(),
            days,
            note=note,
            on_day=on_day,
            now=datetime.now(UTC),
            landing=platform.landing(),
        )

    return table_asset(org, COPY_DAILY, deps, build)


def _saying_what_is_unbuilt(
    context: dg.AssetExecutionContext,
    org: Org,
    platform: Platform,
    days: Days,
    on_day: Callable[[DayReport], None],
) -> Callable[[DayReport], None]:
    """Log, and remark on each day it concerns, that sends of the days before it were never built.

    The day is built all the same: the automation builds it again once they are.
    """
    reach = Reach.of(org)
    unbuilt = reach.unbuilt(platform.lake(), days)
    if not unbuilt:
        return on_day
    sends = reach.base.name
    context.log.warning(f"{sends} of {spans(unbuilt)} was never built: what was sent then is missing from these days")

    def remark(report: DayReport) -> None:
        day = report.day
        missing = [one for one in unbuilt if day is not None and 0 <= (day - one).days <= LOOKBACK_DAYS]
        mark = f"{sends} of {spans(missing)} was never built: build it, then this day again"
        on_day(replace(report, marks=(*report.marks, mark)) if missing else report)

    return remark


def table_asset(
    org: Org,
    table: Table,
    deps: list[dg.AssetDep],
    build: Build,
    *,
    is_automated: bool = True,
    engine: str = "polars",
    freshness_policy: dg.FreshnessPolicy | None = None,
) -> dg.AssetsDefinition:
    """One table as an asset: a ranged run is one call and one commit.

    Args:
        org: the org.
        table: the table.
        deps: upstream, with partition mappings.
        build: replaces the days and reports them.
        is_automated: rebuild when upstream changes; false for what something else keeps up to date.
        engine: what makes it, shown in the UI.
        freshness_policy: of a table that is itself what comes from outside.
    """

    @dg.asset(
        key=table_key(org.slug, table),
        deps=deps,
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
        metadata=definition_metadata(org.slug, declared(org, table)),
    )
    def table_days(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        days = days_of(context)
        note = {"run_id": context.run.run_id, "org": org.slug}
        with verdicts(context.retry_number):
            reports = build(context, platform, days, note, reporter(context, len(days)))
        current = [day for day in days if day >= datetime.now(UTC).date() - timedelta(days=1)]
        if current:
            for one in (table, FATES, QUARANTINE):
                remove_superseded(platform.lake(), org.slug, one, current)
        shown = declared(org, table)
        return dg.MaterializeResult(metadata=run_metadata(platform.lake(), org.slug, shown, days, reports))

    return table_days
