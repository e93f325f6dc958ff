"""The assets of one org: what its doors land, and the tables made of it. An org shows only the doors it has."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from justai_assets.attribution.build import build_attributed, build_unified
from justai_assets.contract.days import spans
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.databricks.engine import attributed_on_spark, unified_on_spark
from justai_assets.dag.landing_assets import GENERATE, LANDING_NAMES, landing_asset, landing_sources
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.partitions import around, day_before, lookback, same_day
from justai_assets.dag.reach import Reach
from justai_assets.dag.table_asset import DaysRun, table_asset
from justai_assets.events.event_stream import stream_tables
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.lake.ledger import DayReport
from justai_assets.metrics.build_copy_daily import build_copy_daily
from justai_assets.metrics.daily import build_metrics
from justai_assets.orgs.model import Org
from justai_assets.sources.build import build_from_doors


def org_assets(org: Org) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The landing assets and tables of an org."""
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [landing_asset(org, source) for source in landing_sources(org)]
    if org.is_unified:
        if org.engagement in LANDING_NAMES:
            assets.append(_from_doors(org, UNIFIED_EVENTS, (org.engagement,)))
    else:
        assets.append(_from_doors(org, ESP_EVENTS, (org.engagement,)))
        if org.custom:
            assets.append(_from_doors(org, CUSTOM_EVENTS, org.custom))
            assets.append(_attributed(org))
        assets.append(_unified(org))
    assets.append(_metrics(org))
    if org.templates:
        assets.append(_from_doors(org, SERVED_COPIES, (GENERATE,)))
    assets.append(_outcomes(org))
    if org.templates:
        assets.append(_copies(org))
    return assets


def _deps(org: Org, mapping: dg.TimeWindowPartitionMapping, *tables: Table) -> list[dg.AssetDep]:
    return [dg.AssetDep(table_key(org.slug, table), partition_mapping=mapping) for table in tables]


def _from_doors(org: Org, table: Table, doors: tuple[str, ...]) -> dg.AssetsDefinition:
    deps = [dg.AssetDep([org.slug, LANDING_NAMES[door]], partition_mapping=same_day()) for door in doors]

    def build(run: DaysRun) -> list[DayReport]:
        landing, lake, accept_empty = run.platform.landing(), run.platform.lake(), run.platform.accept_empty
        return build_from_doors(
            org, landing, lake, table, doors, run.days, note=run.note, on_day=run.on_day, accept_empty=accept_empty
        )

    return table_asset(org, table, deps, build)


def _attributed(org: Org) -> dg.AssetsDefinition:
    deps = [*_deps(org, lookback(), ESP_EVENTS), *_deps(org, same_day(), CUSTOM_EVENTS)]

    def build(run: DaysRun) -> list[DayReport]:
        lake, on_day = run.platform.lake(), _saying_what_is_unbuilt(org, run)
        if org.engine == "databricks":
            return attributed_on_spark(run.context, org, lake, run.days, run.note, on_day)
        budget = run.platform.memory_budget()
        return build_attributed(org, lake, run.days, note=run.note, memory_budget=budget, on_day=on_day)

    return table_asset(org, ATTRIBUTED_EVENTS, deps, build, engine=org.engine)


def _unified(org: Org) -> dg.AssetsDefinition:
    def build(run: DaysRun) -> list[DayReport]:
        lake = run.platform.lake()
        if org.engine == "databricks":
            return unified_on_spark(run.context, org, lake, run.days, run.note, run.on_day)
        return build_unified(org, lake, run.days, note=run.note, on_day=run.on_day)

    return table_asset(org, UNIFIED_EVENTS, _deps(org, same_day(), *stream_tables(org)), build, engine=org.engine)


def _metrics(org: Org) -> dg.AssetsDefinition:
    mapping = lookback() if org.is_unified else same_day()

    def build(run: DaysRun) -> list[DayReport]:
        on_day = _saying_what_is_unbuilt(org, run) if org.is_unified else run.on_day
        return _restating(build_metrics, org, replace(run, on_day=on_day))

    return table_asset(org, ATTRIBUTION_METRICS, _deps(org, mapping, *stream_tables(org)), build)


def _outcomes(org: Org) -> dg.AssetsDefinition:
    deps = _deps(org, around(), *stream_tables(org))
    if org.templates:
        deps += _deps(org, day_before(), SERVED_COPIES)

    def build(run: DaysRun) -> list[DayReport]:
        return build_message_outcomes(org, run.platform.lake(), run.days, note=run.note, on_day=run.on_day)

    return table_asset(org, MESSAGE_OUTCOMES, deps, build)


def _copies(org: Org) -> dg.AssetsDefinition:
    deps = _deps(org, same_day(), MESSAGE_OUTCOMES)
    return table_asset(org, COPY_DAILY, deps, lambda run: _restating(build_copy_daily, org, run))


def _restating(build: Callable[..., list[DayReport]], org: Org, run: DaysRun) -> list[DayReport]:
    """Count the days anew, and record what moved since they were given."""
    lake, landing = run.platform.lake(), run.platform.landing()
    return build(org, lake, run.days, note=run.note, on_day=run.on_day, now=datetime.now(UTC), landing=landing)


def _saying_what_is_unbuilt(org: Org, run: DaysRun) -> Callable[[DayReport], None]:
    """Log, and remark on each day it concerns, that sends of the days before it were never built.

    The day is built all the same: the automation builds it again once they are.
    """
    reach = Reach.of(org)
    unbuilt = reach.unbuilt(run.platform.lake(), run.days)
    if not unbuilt:
        return run.on_day
    sends = reach.base.name
    run.context.log.warning(
        f"{sends} of {spans(unbuilt)} was never built: what was sent then is missing from these days"
    )

    def remark(report: DayReport) -> None:
        day = report.day
        missing = [one for one in unbuilt if day is not None and 0 <= (day - one).days <= LOOKBACK_DAYS]
        mark = f"{sends} of {spans(missing)} was never built: build it, then this day again"
        run.on_day(replace(report, marks=(*report.marks, mark)) if missing else report)

    return remark
