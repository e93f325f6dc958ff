"""Whether a day that comes in other files holds the same rows as before.

A view is written anew whenever it is shared, and a compacted table has new files with old rows: by its files every
day has changed. To replace such a day would make everything downstream compute it again, for nothing.
"""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, Table
from justai_assets.lake.ledger import QUARANTINED, read_fates, total
from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.days import Day

_HALF = 0xFFFFFFFF


def is_same_day(lake: Lake, slug: str, day: Day, rows: pl.LazyFrame, table: Table = DELTA_SHARE) -> bool:
    """Whether the mirror's day has exactly these rows, in whatever order, and neither has refused ones.

    Args:
        lake: the lake.
        slug: the org.
        day: the day; undated rows, which point at their file, are never the same.
        rows: judged rows of the day.
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
