"""Partition skew: days far larger or smaller than the days around them."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.table_log import DAY, ROWS
from justai_assets.quality.usual_band import DAYS_BACK, MIN_DAYS

FACTOR = 5
MIN_ROWS = 1000
"""Below this a day of five times the rows is chance, and no burden on anything."""


def partition_skew(days: Days, log: pl.DataFrame) -> list[Verdict]:
    """Per day: warn when its rows are more than five times, or less than a fifth of, the median of the 28 days before.

    Days without rows are no part of the median, and fewer than seven days give none. A day with no rows at all among
    days that have them is the extreme case, and warns.
    """
    rows = dict(log.group_by(DAY).agg(pl.col(ROWS).sum()).iter_rows())
    verdicts = []
    for day in days:
        count = int(rows.get(day, 0))
        before = [rows[at] for back in range(1, DAYS_BACK + 1) if rows.get(at := day - timedelta(days=back))]
        numbers: dict[str, int | float] = {"rows": count}
        warnings: tuple[str, ...] = ()
        if len(before) >= MIN_DAYS:
            usual = float(median(before))
            numbers["times the usual"] = round(count / usual, 3)
            if max(count, usual) >= MIN_ROWS and not usual / FACTOR <= count <= usual * FACTOR:
                warnings = (f"{count:,} rows; the {len(before)} days before have {usual:,.0f} in the median",)
        verdicts.append(Verdict(day, numbers, warnings=warnings))
    return verdicts
