"""Days of unified_events from the mirror: the stream is unified already, and passes through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, FATES, UNIFIED_EVENTS, Table
from justai_assets.lake.ledger import ACCEPTED, RECEIVED, DayReport, Fate, fates_frame
from justai_assets.lake.snapshot import Snapshot
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.store import Lake


def build_unified_from_mirror(
    slug: str,
    lake: Lake,
    days: Days,
    *,
    table: Table = DELTA_SHARE,
    note: dict[str, str] | None = None,
    stamp: Stamp | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
) -> list[DayReport]:
    """Replace days of unified_events by the mirror's days, in one commit; every row is accepted.

    What the contract refuses was refused when it was mirrored, and is accounted for there. The columns that the org
    declares (those of `table`, the mirror) pass through with the rest.
    """
    mirror, unified = Snapshot.of(lake, slug, table), replace(UNIFIED_EVENTS, columns=table.columns)
    reports = []
    with ExitStack() as stack:
        partition = {"asset": UNIFIED_EVENTS.name}
        ledger = stack.enter_context(lake.replacing(slug, FATES, days, partition=partition, note=note, stamp=stamp))
        rows = stack.enter_context(lake.replacing(slug, unified, days, note=note, stamp=stamp))
        for day in days:
            written = rows.write(day, mirror.scan(Days(day, day)))
            fates = (
                Fate(day, DELTA_SHARE.name, RECEIVED, mirror.count(day)),
                Fate(day, DELTA_SHARE.name, ACCEPTED, written),
            )
            ledger.write(day, fates_frame(UNIFIED_EVENTS.name, fates))
            reports.append(DayReport(day, written, rows.bytes(day), fates))
            on_day(reports[-1])
    return reports
