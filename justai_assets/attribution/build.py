"""Days of attributed_events and unified_events, written to the lake with their fates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date, timedelta

import polars as pl

from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.unified import unify_day
from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.reasons import UNATTRIBUTED as REASONS
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, FATES, UNIFIED_EVENTS
from justai_assets.lake.ledger import (
    ACCEPTED,
    ATTRIBUTED,
    RECEIVED,
    SHARED_ID,
    SHARED_PEOPLE,
    UNATTRIBUTED,
    DayReport,
    Fate,
    fates_frame,
)
from justai_assets.lake.outdated_days import salt_of_lookback
from justai_assets.lake.snapshot import Snapshot
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org


def build_attributed(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    memory_budget: int | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
) -> list[DayReport]:
    """Replace days of attributed_events. Each day reads the sends of itself and the three days before, and no others.

    A day's rows therefore do not depend on how the range was cut. What is committed upstream meanwhile is not seen: the
    ledger counts the rows of the version that was read.
    """
    rule = Rule.of(org.attribution)
    sends, events = Snapshot.of(lake, org.slug, ESP_EVENTS), Snapshot.of(lake, org.slug, declared(org, CUSTOM_EVENTS))
    stamp = stamp_of(org, ATTRIBUTED_EVENTS, salt_of_lookback(org, lake, days))
    table = declared(org, ATTRIBUTED_EVENTS)
    reports = []
    with ExitStack() as stack:
        partition = {"asset": ATTRIBUTED_EVENTS.name}
        ledger = stack.enter_context(lake.replacing(org.slug, FATES, days, partition=partition, note=note, stamp=stamp))
        rows = stack.enter_context(lake.replacing(org.slug, table, days, note=note, stamp=stamp))
        for day in days:
            lookback = Days(day - timedelta(days=LOOKBACK_DAYS), day)
            seen: Counter[str | None] = Counter()
            shared: dict[str, tuple[int, int]] = {}
            chunks = attribute_day(
                sends.scan(lookback), events.scan(Days(day, day)), day, rule, memory_budget=memory_budget, shared=shared
            )
            written = rows.write(day, _counted(chunks, seen))
            fates = attributed_fates(day, events.count(day), written, seen, shared)
            ledger.write(day, fates_frame(ATTRIBUTED_EVENTS.name, fates))
            reports.append(DayReport(day, written, rows.bytes(day), tuple(fates), shared_marks(shared)))
            on_day(reports[-1])
    return reports


def build_unified(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
) -> list[DayReport]:
    """Replace days of unified_events from engagement and attributed custom events of the same days.

    What is committed upstream meanwhile is not seen.
    """
    engagement = Snapshot.of(lake, org.slug, ESP_EVENTS)
    custom, unified = Snapshot.of(lake, org.slug, declared(org, ATTRIBUTED_EVENTS)), declared(org, UNIFIED_EVENTS)
    attributed = attributed_counts(custom, days)
    stamp = stamp_of(org, UNIFIED_EVENTS)
    reports = []
    with ExitStack() as stack:
        partition = {"asset": UNIFIED_EVENTS.name}
        ledger = stack.enter_context(lake.replacing(org.slug, FATES, days, partition=partition, note=note, stamp=stamp))
        rows = stack.enter_context(lake.replacing(org.slug, unified, days, note=note, stamp=stamp))
        for day in days:
            one = Days(day, day)
            written = rows.write(day, unify_day(engagement.scan(one), custom.scan(one), unified))
            fates = unified_fates(day, engagement.count(day), attributed[day], written)
            ledger.write(day, fates_frame(UNIFIED_EVENTS.name, fates))
            reports.append(DayReport(day, written, rows.bytes(day), tuple(fates)))
            on_day(reports[-1])
    return reports


def attributed_counts(custom: Snapshot, days: Days) -> dict[date, int]:
    """Rows of attributed_events that have their message, by day; 0 for a day without any."""
    counts = dict.fromkeys(days, 0)
    rows = custom.scan(days).filter("is_attributed").group_by("event_date").len()
    counts.update(dict(rows.collect(engine="streaming").iter_rows()))
    return counts


def attributed_fates(
    day: date,
    received: int,
    written: int,
    reasons: Mapping[str | None, int],
    shared: Mapping[str, tuple[int, int]],
) -> list[Fate]:
    """What became of a day's custom events.

    Args:
        day: the event_date.
        received: custom events read.
        written: rows written.
        reasons: counts the written rows, those with a message under None.
        shared: kind of id → events that carry a shared one, and the people who share them.
    """
    return [
        Fate(day, CUSTOM_EVENTS.name, RECEIVED, received),
        Fate(day, CUSTOM_EVENTS.name, ACCEPTED, written),
        Fate(day, CUSTOM_EVENTS.name, ATTRIBUTED, reasons.get(None, 0)),
        *(Fate(day, CUSTOM_EVENTS.name, UNATTRIBUTED, reasons.get(why, 0), why) for why in REASONS),
        *(Fate(day, CUSTOM_EVENTS.name, SHARED_ID, events, kind) for kind, (events, _) in shared.items()),
        *(Fate(day, CUSTOM_EVENTS.name, SHARED_PEOPLE, people, kind) for kind, (_, people) in shared.items()),
    ]


def shared_marks(shared: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """What a person should know of a day's shared ids, in words."""
    return tuple(
        f"{events:,} custom events carry the {kind} of many: {people:,} people share it, so it names nobody"
        for kind, (events, people) in shared.items()
    )


def unified_fates(day: date, engagement: int, attributed: int, written: int) -> list[Fate]:
    """What became of a day's engagement and attributed events.

    Which of the rows came from where is known from upstream's own log; that the two agree is what is checked.
    """
    return [
        Fate(day, ESP_EVENTS.name, RECEIVED, engagement),
        Fate(day, ATTRIBUTED_EVENTS.name, RECEIVED, attributed),
        Fate(day, UNIFIED_EVENTS.name, ACCEPTED, written),
    ]


def _counted(chunks: Iterable[pl.DataFrame], seen: Counter[str | None]) -> Iterator[pl.DataFrame]:
    for chunk in chunks:
        seen.update(dict(chunk.group_by("reason").len().iter_rows()))
        yield chunk
