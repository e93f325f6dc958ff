"""The mirror's own Delta table: which days it holds, who wrote them, and unified_events made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import unquote

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, FATES, UNIFIED_EVENTS, Table
from justai_assets.lake.ledger import ACCEPTED, QUARANTINED, RECEIVED, DayReport, Fate, fates_frame, read_fates, total
from justai_assets.lake.snapshot import Snapshot
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_of
from justai_assets.sources.delta_share.file_days import Day

MAX_VERSIONS = 2_000
"""Reading further back costs more than the comparison it spares."""
_HALF = 0xFFFFFFFF


def mirrored_days(lake: Lake, slug: str) -> frozenset[date]:
    """The days the mirror's table has rows of, from its log alone."""
    log = _log(lake, slug)
    return frozenset(log.filter(pl.col("rows") > 0)["event_date"])


def mirrored_rows(lake: Lake, slug: str) -> dict[date, int]:
    """Day → rows of the mirror's table, from its log alone."""
    return dict(_log(lake, slug).select("event_date", "rows").iter_rows())


def mirrored_reports(lake: Lake, slug: str, days: Days) -> list[DayReport]:
    """Days as they were last written, from the log and the ledger: what a run says of days that it left alone."""
    log = {day: (rows, size) for day, rows, size in _log(lake, slug).iter_rows()}
    fates: dict[date, list[Fate]] = {}
    for row in read_fates(lake, slug, days, DELTA_SHARE.name).iter_rows(named=True):
        fate = Fate(row["event_date"], row["door"], row["fate"], row["records"], row["reason"])
        fates.setdefault(fate.day or days.first, []).append(fate)
    return [DayReport(day, *log.get(day, (0, 0)), tuple(fates.get(day, ()))) for day in days]


def _log(lake: Lake, slug: str) -> pl.DataFrame:
    """event_date, rows and bytes of every day that has files."""
    found = lake.open(slug, DELTA_SHARE)
    actions = None if found is None else pl.DataFrame(found.get_add_actions(flatten=True))
    if actions is None or actions.is_empty():
        return pl.DataFrame(schema={"event_date": pl.Date, "rows": pl.Int64, "bytes": pl.Int64})
    return (
        actions.filter(pl.col("partition.event_date").is_not_null())
        .group_by(pl.col("partition.event_date").alias("event_date"))
        .agg(pl.col("num_records").sum().alias("rows"), pl.col("size_bytes").sum().alias("bytes"))
    )


def lake_version(lake: Lake, slug: str) -> int | None:
    """The version of the mirror's table, or None before the first write."""
    found = lake.open(slug, DELTA_SHARE)
    return None if found is None else found.version()


def days_written(lake: Lake, slug: str, since: int, until: int) -> frozenset[Day] | None:
    """The days that versions `since` + 1 to `until` of the mirror's table wrote, replaced or emptied.

    By whomever they were written. A version that only merged files, removed old ones or changed a property wrote no
    day. None when nothing can tell: the table is another, its log is not kept that far back, or it is too long.
    """
    if until < since or until - since > MAX_VERSIONS:
        return None
    days: set[Day] = set()
    for version in range(since + 1, until + 1):
        try:
            text = lake.root.read(f"{lake.key(slug, DELTA_SHARE)}/_delta_log/{version:020d}.json").decode()
        except FileNotFoundError:
            return None
        for line in text.splitlines():
            action = json.loads(line) if line.strip() else {}
            for kind in ("add", "remove"):
                if kind in action and action[kind].get("dataChange", True):
                    days.add(_day(action[kind]))
    return frozenset(days)


def _day(action: Mapping[str, Any]) -> Day:
    values = action.get("partitionValues") or {}
    if "event_date" in values:
        return date.fromisoformat(values["event_date"]) if values["event_date"] else None
    return day_of(unquote(action["path"]))


def is_same_day(lake: Lake, slug: str, day: Day, rows: pl.LazyFrame, table: Table = DELTA_SHARE) -> bool:
    """Whether the mirror's day has exactly these rows, in whatever order, and neither has rejected ones.

    A view is written anew whenever it is shared, and a compacted table has new files with old rows: by its files every
    day has changed. To replace such a day would make everything downstream compute it again, for nothing.

    Args:
        lake: the lake.
        slug: the org.
        day: the day; undated rows, which point at their file, are never the same.
        rows: typed rows with `reason` of the day.
        table: DELTA_SHARE, with the declared columns.

    Rows are compared by count and by two sums of a 64-bit hash: repeats count, order does not.
    """
    names = table.schema.names()
    if day is None or _digest(rows.filter(pl.col("reason").is_not_null()), names)[0]:
        return False
    one = Days(day, day)
    if total(read_fates(lake, slug, one, DELTA_SHARE.name), QUARANTINED):
        return False
    return _digest(rows, names) == _digest(lake.scan(slug, table, one), names)


def _digest(rows: pl.LazyFrame, names: list[str]) -> tuple[int, ...]:
    # Halves, so that no sum of fewer than 2 billion rows overflows; exclusive-or would cancel a row and its repeat.
    hashed = pl.struct(names).hash(seed=0)
    halves = (hashed // (_HALF + 1), hashed % (_HALF + 1))
    sums = [half.cast(pl.Int64).sum().alias(name) for half, name in zip(halves, ("high", "low"), strict=True)]
    counted: tuple[int, ...] = rows.select(pl.len(), *sums).collect(engine="streaming").row(0)
    return counted


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

    What the contract rejects was rejected when it was mirrored, and is accounted for there. The columns that the org
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
