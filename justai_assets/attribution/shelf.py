"""Rows kept by ranges of their number until their range is asked for."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import polars as pl

from justai_assets.attribution.gather import IDS

_SCHEMA = pl.Schema({**dict.fromkeys(IDS, pl.String()), "ts": pl.Int64(), "row": pl.Int64()})


class Shelf:
    """Frames with a column `row`, given back by range `row // width`.

    About `resident` bytes stay in memory; the rest lies in Parquet files below `folder`.
    """

    def __init__(self, folder: Path, *, width: int, resident: int) -> None:
        self._folder = folder / "shelf"
        self._width = width
        self._resident = resident
        self._held: list[pl.DataFrame] = []
        self._bytes = 0
        self._files: dict[int, list[Path]] = defaultdict(list)

    def put(self, frame: pl.DataFrame) -> None:
        """Keep these rows."""
        self._held.append(frame)
        self._bytes += int(frame.estimated_size())
        if self._bytes > self._resident:
            self._flush()

    def take(self, number: int) -> pl.DataFrame:
        """The rows of one range, in no promised order."""
        mine = pl.col("row") // self._width == number
        parts = [pl.read_parquet(path) for path in self._files.pop(number, [])]
        return pl.concat([_SCHEMA.to_frame(), *parts, *(frame.filter(mine) for frame in self._held)])

    def _flush(self) -> None:
        self._folder.mkdir(exist_ok=True)
        rows = pl.concat(self._held).with_columns(range=pl.col("row") // self._width)
        self._held.clear()
        self._bytes = 0
        for (number,), part in rows.partition_by("range", as_dict=True, include_key=False).items():
            path = self._folder / f"{number}-{len(self._files[number])}.parquet"
            part.write_parquet(path, compression="lz4", statistics=False)
            self._files[number].append(path)
