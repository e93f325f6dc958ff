"""The people behind a range of cohorts, read in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.experiments.clustered_variance import PEOPLE

_ROWS_AT_ONCE: Final = 2_000_000
_DIGITS: Final = "0123456789abcdef"


@dataclass
class People:
    """PEOPLE of the days of a test, in files of a folder: its owner removes it."""

    folder: Path
    _rows: int = 0

    def add(self, day: date, people: pl.DataFrame) -> None:
        """Add the people of a day. They are put in one order: sums of floats in another order are other sums."""
        self._rows += people.height
        order = ["user", *(name for name in PEOPLE if name != "user")]
        people.sort(order).write_parquet(self.folder / f"{day}.parquet", row_group_size=100_000)

    def parts(self) -> Iterator[pl.LazyFrame]:
        """All rows, and each person's in one part: a single part of few rows, else sixteen by the key's first digit.

        The days are sorted by key, so a part is a sixteenth of the reading, too.
        """
        files = sorted(self.folder.glob("*.parquet"))
        rows = pl.scan_parquet(files) if files else pl.LazyFrame(schema=PEOPLE)
        if self._rows <= _ROWS_AT_ONCE:
            yield rows
            return
        user = pl.col("user")
        for at, digit in enumerate(_DIGITS):
            low = user >= digit if at else pl.lit(value=True)
            high = user < _DIGITS[at + 1] if at + 1 < len(_DIGITS) else pl.lit(value=True)
            yield rows.filter(low, high)
