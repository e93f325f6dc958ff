"""Parquet files of one day: written with bounded memory, described from their own footers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from justai_assets.contract.errors import ContractError
from justai_assets.contract.tables import Table

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MEMORY_BYTES_PER_FILE = 2 << 30
"""Uncompressed bytes after which a new file begins: about 128 to 512 MB of zstd Parquet."""

TIME = "event_timestamp"

PREFIX = "part-day-"
"""How the name of a file begins that a writer of days wrote; a file of a compaction or of another engine is named
otherwise, and its time is not that of a build."""


@dataclass(frozen=True)
class DayFile:
    """A written Parquet file: its name, rows, bytes, and what its footer says of nulls and times."""

    path: Path
    rows: int
    size: int
    null_counts: dict[str, int]
    first: datetime | None
    last: datetime | None

    def stats(self) -> str:
        """Delta's per-file statistics as JSON. Times are widened to whole milliseconds, never narrowed."""
        stats: dict[str, Any] = {"numRecords": self.rows, "nullCount": self.null_counts}
        if self.first is not None and self.last is not None:
            last = self.last + timedelta(microseconds=999)
            stats["minValues"] = {TIME: _milliseconds(self.first)}
            stats["maxValues"] = {TIME: _milliseconds(last)}
        return json.dumps(stats)


Frame = pl.LazyFrame | pl.DataFrame | Iterable[pl.DataFrame]
"""Rows of a day: a plan that streams, a frame, or frames one after another."""


def write_files(folder: Path, table: Table, frame: Frame, token: str) -> list[DayFile]:
    """Write the rows into new files of a folder and describe them; an empty frame writes none.

    Partition columns are left out of the files, as Delta wants it. The schema must be the table's, column for column;
    order does not matter. Every file is named `part-day-{token}-….parquet`, so that a writer can tell its own.

    Raises:
        ContractError: the columns or types differ. Files already written stay: see `remove_files`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(frame, pl.DataFrame):
        frame = frame.lazy()
    if isinstance(frame, pl.LazyFrame):
        paths = _sink(folder, _narrow(frame, table), token)
    else:
        paths = list(_append(folder, table, frame, token))
    files = [_describe(path) for path in paths]
    for empty in (file for file in files if file.rows == 0):
        empty.path.unlink()
    return [file for file in files if file.rows]


def write_empty(folder: Path, table: Table, token: str) -> DayFile:
    """Write a file without rows, for a day that had some: the table's log then says when it was emptied."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _new(folder, token)
    names = [name for name in table.schema if name not in table.partition_by]
    pl.DataFrame(schema={name: table.schema[name] for name in names}).write_parquet(path)
    return DayFile(path, 0, path.stat().st_size, dict.fromkeys(names, 0), None, None)


def remove_files(folder: Path, token: str) -> None:
    """Remove what one writer left in a folder."""
    for path in folder.glob(f"{PREFIX}{token}-*.parquet"):
        path.unlink(missing_ok=True)


def check_contract(table: Table, day: date | None, files: Iterable[DayFile]) -> None:
    """Refuse a day's files whose required columns hold null or whose times lie on another day.

    Raises:
        ContractError: naming table, day and column.
    """
    for file in files:
        for name in table.required:
            if file.null_counts.get(name):
                raise ContractError(
                    f"{table.name}, {day}: {file.null_counts[name]} rows without {name}",
                    mend="the step that made them must reject such rows; nothing was written",
                )
        for moment in (file.first, file.last):
            if moment is not None and day is not None and moment.astimezone(UTC).date() != day:
                raise ContractError(
                    f"{table.name}, {day}: holds a row of {moment.astimezone(UTC).date()}",
                    mend="a day holds the rows of its own date in UTC; nothing was written",
                )


def _narrow(frame: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    have, want = frame.collect_schema(), table.schema
    if dict(have) != dict(want):
        missing = sorted(want.keys() - have.keys())
        extra = sorted(have.keys() - want.keys())
        changed = [
            f"{name} is {have[name]}, not {want[name]}" for name in want if name in have and have[name] != want[name]
        ]
        parts = [
            f"lacks {', '.join(missing)}" if missing else "",
            f"has {', '.join(extra)} besides" if extra else "",
            "; ".join(changed),
        ]
        raise ContractError(f"{table.name}: {'; '.join(part for part in parts if part)}", mend="nothing was written")
    return frame.select(name for name in want if name not in table.partition_by)


def _sink(folder: Path, frame: pl.LazyFrame, token: str) -> list[Path]:
    paths: list[Path] = []

    def provide(_: Any) -> Path:
        path = _new(folder, token)
        paths.append(path)
        return path

    target = pl.PartitionBy(folder, file_path_provider=provide, approximate_bytes_per_file=MEMORY_BYTES_PER_FILE)
    # Level 1 takes half the time of 3, the default, and writes no more bytes (docs/performance.md).
    frame.sink_parquet(target, compression="zstd", compression_level=1, engine="streaming")
    return [path for path in paths if path.exists()]


def _append(folder: Path, table: Table, frames: Iterable[pl.DataFrame], token: str) -> Iterator[Path]:
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    held = 0.0
    try:
        for frame in frames:
            narrow = _narrow(frame.lazy(), table).collect()
            if narrow.is_empty():
                continue
            arrow = narrow.to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                path, held = _new(folder, token), 0.0
                writer = pq.ParquetWriter(path, arrow.schema, compression="zstd")
                yield path
            writer.write_table(arrow)
            held += narrow.estimated_size()
            if held >= MEMORY_BYTES_PER_FILE:
                writer.close()
                writer = None
    finally:
        if writer is not None:
            writer.close()


def _new(folder: Path, token: str) -> Path:
    return folder / f"{PREFIX}{token}-{secrets.token_hex(4)}.parquet"


def _describe(path: Path) -> DayFile:
    # Here, because what only reads the lake does without, and it takes a fifth of a second.
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    # A nested column has leaves, "conversions.list.element.events"; nulls are counted of plain columns only.
    names = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    nulls = dict.fromkeys((name for name in names if "." not in name), 0)
    times: list[datetime] = []
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index, name in enumerate(names):
            if name not in nulls:
                continue
            statistics = row_group.column(index).statistics
            if statistics is None or not statistics.has_null_count:
                raise ContractError(f"{path.name}: the footer lacks statistics of {name}")
            nulls[name] += statistics.null_count
            if name == TIME and statistics.has_min_max:
                times += [statistics.min, statistics.max]
    return DayFile(
        path, metadata.num_rows, path.stat().st_size, nulls, min(times, default=None), max(times, default=None)
    )


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
