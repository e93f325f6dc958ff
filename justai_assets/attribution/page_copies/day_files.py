"""The output, day by day: row groups copied from the input, row groups written here, stitched into few large files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.attribution.page_copies.copyable_row_groups import RowGroup, row_groups
from justai_assets.attribution.page_copies.parquet_footer import write_stitched

FILE_BYTES: Final = 480 << 20
"""Files of a day are as few as possible below this; 128–512 MB is what readers of the contract like."""
_GROUP_ROWS = 250_000
_COPIERS = 2
_LEVEL = 1
"""zstd level of what is written anew: smaller than Polars' default on this data, and a quarter faster."""


class DayFiles:
    """Collects the row groups of every day, then writes the days."""

    def __init__(self, folder: Path, *, chunk_rows: int) -> None:
        self._folder = folder
        self._chunk_rows = chunk_rows
        self._groups: dict[date, list[RowGroup]] = defaultdict(list)
        self._held: dict[date, list[pl.DataFrame]] = defaultdict(list)
        self._rows: dict[date, int] = defaultdict(int)
        self._files = 0

    def copy(self, group: RowGroup) -> None:
        """Take a row group of an input over as it is."""
        self._groups[group.day].append(group)

    def add(self, day: date, frame: pl.DataFrame) -> None:
        """Take rows of UNIFIED_EVENTS, all of one day; when too many are held, the fullest day is written down."""
        self._held[day].append(frame)
        self._rows[day] += len(frame)
        if sum(self._rows.values()) >= self._chunk_rows:
            self._write(max(self._rows, key=self._rows.__getitem__))

    def sink(self, frame: pl.LazyFrame) -> int:
        """Stream rows of UNIFIED_EVENTS, of any days; how many they were."""
        self._files += 1
        base = self._folder / f"sunk-{self._files}"
        target = pl.PartitionBy(base, key="event_date", include_key=True)
        frame.sink_parquet(
            target,
            compression="zstd",
            compression_level=_LEVEL,
            row_group_size=_GROUP_ROWS,
            mkdir=True,
            engine="streaming",
        )
        return sum(self._take(path) for path in sorted(base.rglob("*.parquet")))

    def _write(self, day: date) -> None:
        self._files += 1
        path = self._folder / f"piece-{self._files}.parquet"
        rows = pl.concat(self._held.pop(day))
        del self._rows[day]
        rows.write_parquet(
            path, compression="zstd", compression_level=_LEVEL, row_group_size=_GROUP_ROWS, statistics=True
        )
        self._take(path)

    def _take(self, path: Path) -> int:
        rows = 0
        for group in row_groups(path):
            assert isinstance(group, RowGroup), f"{path.name} is not of one day and the contract's types"
            self.copy(group)
            rows += group.rows
        return rows

    def write_days(self, out: Path) -> tuple[dict[date, int], tuple[str, ...]]:
        """Write `out/event_date=…/part-*.parquet`; the rows of each day in order, and the files, relative to `out`."""
        for day in list(self._held):
            self._write(day)
        days, files = {}, []
        for day in sorted(self._groups):
            groups = self._groups[day]
            days[day] = sum(group.rows for group in groups)
            (out / f"event_date={day}").mkdir()
            files += [(f"event_date={day}/part-{n:05d}.parquet", part) for n, part in enumerate(_files(groups))]
        with ThreadPoolExecutor(_COPIERS) as pool:
            list(pool.map(lambda file: write_stitched(out / file[0], file[1]), files))
        return days, tuple(name for name, _ in files)


def _files(groups: list[RowGroup]) -> Iterable[list[RowGroup]]:
    """Runs of row groups, as few and as equal in size as FILE_BYTES allows."""
    total = sum(group.size for group in groups)
    wanted = max(1, -(-total // FILE_BYTES))
    parts: list[list[RowGroup]] = [[] for _ in range(wanted)]
    done = 0
    for group in groups:
        parts[min(wanted - 1, done * wanted // max(total, 1))].append(group)
        done += group.size
    return [part for part in parts if part]
