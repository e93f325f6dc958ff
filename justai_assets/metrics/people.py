"""The people behind a range of cohorts, read in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.metrics.experiments.cluster import PEOPLE
from justai_assets.metrics.kept_cohorts import KeptCohorts

_ROWS_AT_ONCE: Final = 2_000_000
_DIGITS: Final = "0123456789abcdef"


@dataclass
class People:
    """PEOPLE of counted days, in files of a folder, and of kept days, in the lake.

    Attributes:
        folder: where counted days go; gone with the caller's temporary folder.
        kept: the days that are kept.
    """

    folder: Path
    kept: KeptCohorts
    _kept_days: list[date] = field(default_factory=list)
    _rows: int = 0

    def add(self, day: date, people: pl.DataFrame) -> None:
        """A day that was counted."""
        self._rows += people.height
        people.sort("user").write_parquet(self.folder / f"{day}.parquet", row_group_size=100_000)

    def add_kept(self, day: date) -> None:
        """A day whose people are in the lake."""
        self._kept_days.append(day)

    def parts(self) -> Iterator[pl.LazyFrame]:
        """All rows, and each person's in one part: a single part of few rows, else sixteen by the key's first digit.

        The days are sorted by key, so a part is a sixteenth of the reading, too.
        """
        frames = [pl.LazyFrame(schema=PEOPLE)]
        if any(self.folder.glob("*.parquet")):
            frames.append(pl.scan_parquet(self.folder / "*.parquet"))
        if self._kept_days:
            frames.append(self.kept.people(self._kept_days))
        rows = pl.concat(frames)
        if self._rows + self.kept.people_rows(self._kept_days) <= _ROWS_AT_ONCE:
            yield rows
            return
        user = pl.col("user")
        for at, digit in enumerate(_DIGITS):
            low = user >= digit if at else pl.lit(value=True)
            high = user < _DIGITS[at + 1] if at + 1 < len(_DIGITS) else pl.lit(value=True)
            yield rows.filter(low, high)
