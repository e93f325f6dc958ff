"""attributed_events and unified_events by Spark, with the fates and the metadata of the engine on this machine."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import date

import dagster as dg

from justai_assets.attribution.build import attributed_counts, attributed_fates, shared_marks, unified_fates
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, FATES, UNIFIED_EVENTS
from justai_assets.dag.databricks.job_errors import SparkJobError
from justai_assets.dag.databricks.job_host import Work, place_of
from justai_assets.dag.databricks.pipes_messages import Count
from justai_assets.lake.ledger import DayReport, Fate, fates_frame
from justai_assets.lake.outdated_days import salt_of_lookback
from justai_assets.lake.snapshot import Snapshot
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org

OnDay = Callable[[DayReport], None]


def attributed_on_spark(
    context: dg.AssetExecutionContext, org: Org, lake: Lake, days: Days, note: Mapping[str, str], on_day: OnDay
) -> list[DayReport]:
    """Replace days of attributed_events: what `attribution.build.build_attributed` does, row for row."""
    sends, events = Snapshot.of(lake, org.slug, ESP_EVENTS), Snapshot.of(lake, org.slug, CUSTOM_EVENTS)

    def fates(day: date, rows: int, count: Count) -> list[Fate]:
        return attributed_fates(day, events.count(day), rows, count.reasons, count.shared)

    stamp = stamp_of(org, ATTRIBUTED_EVENTS, salt_of_lookback(org, lake, days))
    work = Work(org, lake, ATTRIBUTED_EVENTS, (sends, events), days, note, stamp)
    return _replace(context, work, fates, on_day)


def unified_on_spark(
    context: dg.AssetExecutionContext, org: Org, lake: Lake, days: Days, note: Mapping[str, str], on_day: OnDay
) -> list[DayReport]:
    """Replace days of unified_events: what `attribution.build.build_unified` does, row for row."""
    engagement = Snapshot.of(lake, org.slug, ESP_EVENTS)
    custom = Snapshot.of(lake, org.slug, ATTRIBUTED_EVENTS)
    attributed = attributed_counts(custom, days)

    def fates(day: date, rows: int, _: Count) -> list[Fate]:
        return unified_fates(day, engagement.count(day), attributed[day], rows)

    inputs = (engagement, custom) if org.custom else (engagement,)
    return _replace(
        context, Work(org, lake, UNIFIED_EVENTS, inputs, days, note, stamp_of(org, UNIFIED_EVENTS)), fates, on_day
    )


def _replace(
    context: dg.AssetExecutionContext, work: Work, fates_of: Callable[[date, int, Count], list[Fate]], on_day: OnDay
) -> list[DayReport]:
    slug, name = work.org.slug, work.table.name
    reports = []
    with ExitStack() as stack:
        # What is entered first commits last: the ledger is the evidence that the rows are there.
        partition = {"asset": name}
        ledger = stack.enter_context(
            work.lake.replacing(slug, FATES, work.days, partition=partition, note=work.note, stamp=work.stamp)
        )
        done = stack.enter_context(place_of(context, work))
        for day in work.days:
            count, now = done.counts[day], done.take(day)
            if now.rows != count.rows:
                raise SparkJobError(
                    f"{name}, {day}: the job counted {count.rows} rows, the table holds {now.rows}",
                    mend="another writer came between, or the job wrote elsewhere; materialize the day again",
                )
            fates = fates_of(day, now.rows, count)
            ledger.write(day, fates_frame(name, fates))
            reports.append(DayReport(day, now.rows, now.bytes, tuple(fates), shared_marks(count.shared)))
            on_day(reports[-1])
    return reports
