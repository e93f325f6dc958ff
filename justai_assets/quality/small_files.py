"""Small files: days that lie in many files too small to read well."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.table_log import BYTES, DAY

SMALL_BYTES = 128 << 20
SEVERAL = 5
"""A build leaves one file a door, and a table has at most four doors: fewer files are never a burden."""


def small_files(days: Days, log: pl.DataFrame) -> list[Verdict]:
    """Per day: warn when it lies in five files or more that average under 128 MB."""
    found = log.group_by(DAY).agg(pl.len().alias("files"), pl.col(BYTES).sum())
    by_day = {day: (files, size) for day, files, size in found.iter_rows()}
    verdicts = []
    for day in days:
        files, size = by_day.get(day, (0, 0))
        is_small = files >= SEVERAL and size < SMALL_BYTES * files
        said = (f"{files} files of {size / files / (1 << 20):.1f} MB on average",) if is_small else ()
        verdicts.append(Verdict(day, {"files": files, "bytes": size}, warnings=said))
    return verdicts
