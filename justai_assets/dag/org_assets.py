"""The assets of one org: what its sources land, and the tables made of it. An org shows only the sources it has."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import dagster as dg

from justai_assets.attribution.build import build_attributed, build_unified
from justai_assets.contract.days import spans
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    MESSAGE_OUTCOMES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.databricks.engine import attributed_on_spark, unified_on_spark
from justai_assets.dag.landing_assets import landing_asset
from justai_assets.dag.lookback import Lookback
from justai_assets.dag.table_asset import DaysRun, table_asset
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.experiments.attribution_metrics import build_metrics
from justai_assets.experiments.copy_daily_build import build_copy_daily
from justai_assets.lake.ledger import DayReport
from justai_assets.orgs.org_model import Org
from justai_assets.sources.intake_build import build_from_doors
from justai_assets.sources.lineage import is_mirrored, landed_by_table, landing_sources, org_tables


def org_assets(org: Org) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The landing assets and tables of an org. The tables of a mirrored share are made elsewhere (`share_assets`)."""
    landed = landed_by_table(org)
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [landing_asset(org, source) for source in landing_sources(org)]
    for table in org_tables(org):
        if table in landed:
            assets.append(_from_sources(org, table, landed[table]))
        elif table in BUILDS and not (table == UNIFIED_EVENTS and is_mirrored(org)):
            build, runs_on_engine = BUILDS[table]
            engine = org.engine if runs_on_engine else "polars"
            assets.append(table_asset(org, table, partial(build, org), engine=engine))
    return assets


def _from_sources(org: Org, table: Table, sources: tuple[str, ...]) -> dg.AssetsDefinition:
    def build(run: DaysRun) -> list[DayReport]:
        landing, lake, accept_empty = run.platform.landing(), run.platform.lake(), run.platform.accept_empty
        return build_from_doors(
            org, landing, lake, table, sources, run.days, note=run.note, on_day=run.on_day, accept_empty=accept_empty
        )

    return table_asset(org, table, build)


def _attributed(org: Org, run: DaysRun) -> list[DayReport]:
    lake, on_day = run.platform.lake(), _saying_what_is_unbuilt(org, run)
    if org.runs_on_databricks:
        return attributed_on_spark(run.context, org, lake, run.days, run.note, on_day)
    budget = run.platform.memory_budget()
    return build_attributed(org, lake, run.days, note=run.note, memory_budget=budget, on_day=on_day)


def _unified(org: Org, run: DaysRun) -> list[DayReport]:
    lake = run.platform.lake()
    if org.runs_on_databricks:
        return unified_on_spark(run.context, org, lake, run.days, run.note, run.on_day)
    return build_unified(org, lake, run.days, note=run.note, on_day=run.on_day)


def _metrics(org: Org, run: DaysRun) -> list[DayReport]:
    on_day = _saying_what_is_unbuilt(org, run) if org.is_unified else run.on_day
    return _restating(build_metrics, org, replace(run, on_day=on_day))


def _outcomes(org: Org, run: DaysRun) -> list[DayReport]:
    return build_message_outcomes(org, run.platform.lake(), run.days, note=run.note, on_day=run.on_day)


def _copies(org: Org, run: DaysRun) -> list[DayReport]:
    return _restating(build_copy_daily, org, run)


BUILDS: Final[dict[Table, tuple[Callable[[Org, DaysRun], list[DayReport]], bool]]] = {
    ATTRIBUTED_EVENTS: (_attributed, True),
    UNIFIED_EVENTS: (_unified, True),
    ATTRIBUTION_METRICS: (_metrics, False),
    MESSAGE_OUTCOMES: (_outcomes, False),
    COPY_DAILY: (_copies, False),
}
"""How a table is made of tables, and whether the org's engine makes it."""


def _restating(build: Callable[..., list[DayReport]], org: Org, run: DaysRun) -> list[DayReport]:
    """Count the days anew, and record what moved since they were given."""
    lake, landing = run.platform.lake(), run.platform.landing()
    return build(org, lake, run.days, note=run.note, on_day=run.on_day, now=datetime.now(UTC), landing=landing)


def _saying_what_is_unbuilt(org: Org, run: DaysRun) -> Callable[[DayReport], None]:
    """Log, and remark on each day it concerns, that sends of the days before it were never built.

    The day is built all the same: the automation builds it again once they are.
    """
    lookback = Lookback.of(org)
    unbuilt = lookback.unbuilt(run.platform.lake(), run.days)
    if not unbuilt:
        return run.on_day
    sends = lookback.base.name
    run.context.log.warning(
        f"{sends} of {spans(unbuilt)} was never built: what was sent then is missing from these days"
    )

    def remark(report: DayReport) -> None:
        day = report.day
        missing = [one for one in unbuilt if day is not None and 0 <= (day - one).days <= LOOKBACK_DAYS]
        mark = f"{sends} of {spans(missing)} was never built: build it, then this day again"
        run.on_day(replace(report, marks=(*report.marks, mark)) if missing else report)

    return remark
