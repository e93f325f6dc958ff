"""Row groups of Parquet files: which of them can be copied into the unified stream as they are.

A column chunk can when its bytes already are what the contract says (an optional UTF-8 string, microseconds), and a row
group when all its columns can and the footer proves that its rows are complete and of one day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from justai_assets.contract.tables import UNIFIED_EVENTS

COLUMNS: Final = tuple(UNIFIED_EVENTS.schema)
CODECS: Final = {"UNCOMPRESSED": 0, "SNAPPY": 1, "GZIP": 2, "BROTLI": 4, "ZSTD": 6}
"""LZ4 is left out: the readers' name for it covers two incompatible codecs."""
ENCODINGS: Final = {
    "PLAIN": 0, "PLAIN_DICTIONARY": 2, "RLE": 3, "BIT_PACKED": 4, "DELTA_BINARY_PACKED": 5,
    "DELTA_LENGTH_BYTE_ARRAY": 6, "DELTA_BYTE_ARRAY": 7, "RLE_DICTIONARY": 8, "BYTE_STREAM_SPLIT": 9,
}  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """One column of a row group: where its bytes are, and what a footer has to say of them.

    Attributes:
        start: first byte, in its file.
        length: bytes.
        uncompressed: bytes once decompressed, page headers included.
        values: values, nulls included.
        codec: number of the compression.
        encodings: numbers of the encodings used.
        data_at: where the first data page begins, counted from `start`; more than 0 when a dictionary precedes it.
        nulls: how many values are null, where known.
        bounds: least and greatest value of a time or a date, as stored. Those of strings may be cut, and are left out.
    """

    start: int
    length: int
    uncompressed: int
    values: int
    codec: int
    encodings: tuple[int, ...]
    data_at: int
    nulls: int | None
    bounds: tuple[bytes, bytes] | None


@dataclass(frozen=True)
class RowGroup:
    """A row group that can be copied.

    Attributes:
        path: the file.
        first: its first row, counted in the file.
        rows: rows.
        day: the event_date of all of them.
        chunks: by column, without event_date: what a file says of it need not be the date of its event_timestamp.
    """

    path: Path
    first: int
    rows: int
    day: date
    chunks: dict[str, Chunk]

    @property
    def size(self) -> int:
        """Bytes that it adds to a file."""
        return sum(chunk.length for chunk in self.chunks.values())


@dataclass(frozen=True)
class Rest:
    """A row group that has to be read and written anew; its first and last day where the footer tells."""

    first: int
    rows: int
    days: tuple[date, date] | None


def row_groups(path: Path, *, at_least: int = 0) -> Iterator[RowGroup | Rest]:
    """The row groups of a file in order, those that can be copied and those that cannot.

    A file whose row groups have fewer than `at_least` rows on average is not copied: the output would be slow to read.
    """
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    leaves = {meta.schema.column(i).path: i for i in range(meta.num_columns)}
    names = [name for name in COLUMNS if name != "event_date"]
    fits = (
        all(name in leaves and _fits(name, meta.schema.column(leaves[name])) for name in names)
        and meta.num_rows >= at_least * meta.num_row_groups
    )
    first = 0
    for number in range(meta.num_row_groups):
        group = meta.row_group(number)
        chunks = {name: _chunk(name, group.column(leaves[name])) for name in names} if fits else {}
        usable = {name: chunk for name, chunk in chunks.items() if chunk is not None}
        when, named = usable.get("event_timestamp"), usable.get("event_name")
        days = _days(when.bounds) if when and named and when.nulls == 0 and named.nulls == 0 else None
        if days and days[0] == days[1] and len(usable) == len(names):
            yield RowGroup(path, first, group.num_rows, days[0], usable)
        else:
            yield Rest(first, group.num_rows, days)
        first += group.num_rows


def _fits(name: str, column: Any) -> bool:
    """Whether a leaf of the schema has the very bytes of the contract's column."""
    if column.max_definition_level != 1 or column.max_repetition_level != 0:
        return False
    kind, physical = column.logical_type.type, column.physical_type
    if name == "event_timestamp":
        in_microseconds = '"timeUnit": "microseconds"' in column.logical_type.to_json()
        return bool(physical == "INT64" and kind == "TIMESTAMP" and in_microseconds)
    return (physical, kind) == ("BYTE_ARRAY", "STRING")


def _chunk(name: str, meta: Any) -> Chunk | None:
    if meta.compression not in CODECS or any(one not in ENCODINGS for one in meta.encodings):
        return None
    start = meta.data_page_offset
    if meta.has_dictionary_page and 0 < meta.dictionary_page_offset < start:
        start = meta.dictionary_page_offset
    statistics = meta.statistics
    nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
    bounds = None
    if name == "event_timestamp" and statistics is not None and statistics.has_min_max:
        least, greatest = (int(raw).to_bytes(8, "little", signed=True) for raw in _raw(statistics))
        bounds = least, greatest
    return Chunk(
        start=start,
        length=meta.total_compressed_size,
        uncompressed=meta.total_uncompressed_size,
        values=meta.num_values,
        codec=CODECS[meta.compression],
        encodings=tuple(ENCODINGS[one] for one in meta.encodings),
        data_at=meta.data_page_offset - start,
        nulls=nulls,
        bounds=bounds,
    )


def _raw(statistics: Any) -> tuple[int, int]:
    return statistics.min_raw, statistics.max_raw


def _days(bounds: tuple[bytes, bytes] | None) -> tuple[date, date] | None:
    if bounds is None:
        return None
    try:
        first, last = (
            datetime.fromtimestamp(int.from_bytes(raw, "little", signed=True) // 1_000_000, UTC) for raw in bounds
        )
    except (OverflowError, ValueError, OSError):  # no year that a date can have
        return None
    return first.date(), last.date()
