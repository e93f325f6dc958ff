"""Row groups copied as they are into a new Parquet file: no decoding, no compression, only a new footer.

That makes passing events through as cheap as copying their bytes. Format: apache/parquet-format, `parquet.thrift`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from justai_assets.attribution.page_copies import compact_protocol
from justai_assets.attribution.page_copies.compact_protocol import BINARY, BOOL, EMPTY, I32, I64, LIST, STRUCT
from justai_assets.attribution.page_copies.copyable_row_groups import CODECS, COLUMNS, ENCODINGS, Chunk, RowGroup

_INT32, _INT64, _BYTE_ARRAY = 1, 2, 6
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_OPTIONAL = 1
_STRING = compact_protocol.struct((1, STRUCT, EMPTY))
_DATE = compact_protocol.struct((6, STRUCT, EMPTY))
_MICROS = compact_protocol.struct((2, STRUCT, EMPTY))
_TIMESTAMP = compact_protocol.struct((8, STRUCT, compact_protocol.struct((1, BOOL, True), (2, STRUCT, _MICROS))))
_TYPES: Final = {"event_timestamp": (_INT64, 10, _TIMESTAMP), "event_date": (_INT32, 6, _DATE)}
"""Physical type, converted type for old readers, logical type; every other column is a string."""
_COPY_BYTES = 4 << 20
_EPOCH = date(1970, 1, 1)


def write_stitched(path: Path, groups: Sequence[RowGroup]) -> None:
    """One Parquet file of UNIFIED_EVENTS from row groups, in their order.

    Raises:
        OSError: a file cannot be read, or ends within a column.
    """
    with path.open("wb") as out:
        out.write(b"PAR1")
        encoded = [_copy(group, out) for group in groups]
        footer = _footer(encoded, sum(group.rows for group in groups))
        out.write(footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _copy(group: RowGroup, out: BinaryIO) -> bytes:
    columns, start, uncompressed = [], out.tell(), 0
    with group.path.open("rb") as source:
        for name in COLUMNS:
            chunk, at = group.chunks.get(name), out.tell()
            if chunk is None:
                content, chunk = _dates(group.day, group.rows)
                out.write(content)
            else:
                source.seek(chunk.start)
                for offset in range(0, chunk.length, _COPY_BYTES):
                    wanted = min(_COPY_BYTES, chunk.length - offset)
                    piece = source.read(wanted)
                    if len(piece) != wanted:
                        raise OSError(f"{group.path} ends within a column")
                    out.write(piece)
            uncompressed += chunk.uncompressed
            columns.append(_column(name, chunk, at))
    return compact_protocol.struct(
        (1, LIST, compact_protocol.sequence(STRUCT, columns)),
        (2, I64, uncompressed),
        (3, I64, group.rows),
        (5, I64, start),
        (6, I64, out.tell() - start),
    )


def _column(name: str, chunk: Chunk, at: int) -> bytes:
    """A ColumnChunk whose bytes begin at `at`; page indexes and bloom filters are not carried over."""
    statistics = compact_protocol.struct(
        (3, I64, chunk.nulls) if chunk.nulls is not None else None,
        (5, BINARY, chunk.bounds[1]) if chunk.bounds else None,
        (6, BINARY, chunk.bounds[0]) if chunk.bounds else None,
    )
    meta = compact_protocol.struct(
        (1, I32, _TYPES.get(name, (_BYTE_ARRAY,))[0]),
        (2, LIST, compact_protocol.numbers(chunk.encodings)),
        (3, LIST, compact_protocol.texts([name])),
        (4, I32, chunk.codec),
        (5, I64, chunk.values),
        (6, I64, chunk.uncompressed),
        (7, I64, chunk.length),
        (9, I64, at + chunk.data_at),
        (11, I64, at) if chunk.data_at else None,
        (12, STRUCT, statistics),
    )
    return compact_protocol.struct((2, I64, 0), (3, STRUCT, meta))


def _dates(day: date, rows: int) -> tuple[bytes, Chunk]:
    """The column event_date of a row group, one value over and over: a dictionary of one, and one run."""
    value = (day - _EPOCH).days.to_bytes(4, "little", signed=True)
    run = compact_protocol.varint(rows << 1)
    present = run + b"\x01"  # definition levels: `rows` times 1
    indices = b"\x01" + run + b"\x00"  # one bit wide: `rows` times the dictionary's first
    data = len(present).to_bytes(4, "little") + present + indices
    plain, rle, by_dictionary = ENCODINGS["PLAIN"], ENCODINGS["RLE"], ENCODINGS["RLE_DICTIONARY"]
    dictionary = _page(_DICTIONARY_PAGE, 7, compact_protocol.struct((1, I32, 1), (2, I32, plain)), value)
    header = compact_protocol.struct((1, I32, rows), (2, I32, by_dictionary), (3, I32, rle), (4, I32, rle))
    content = dictionary + _page(_DATA_PAGE, 5, header, data)
    chunk = Chunk(
        start=0,
        length=len(content),
        uncompressed=len(content),
        values=rows,
        codec=CODECS["UNCOMPRESSED"],
        encodings=(plain, rle, by_dictionary),
        data_at=len(dictionary),
        nulls=0,
        bounds=(value, value),
    )
    return content, chunk


def _page(kind: int, field: int, header: bytes, body: bytes) -> bytes:
    return (
        compact_protocol.struct((1, I32, kind), (2, I32, len(body)), (3, I32, len(body)), (field, STRUCT, header))
        + body
    )


def _footer(groups: Sequence[bytes], rows: int) -> bytes:
    elements = [compact_protocol.struct((4, BINARY, "schema"), (5, I32, len(COLUMNS)))]
    for name in COLUMNS:
        physical, converted, logical = _TYPES.get(name, (_BYTE_ARRAY, 0, _STRING))
        elements.append(
            compact_protocol.struct(
                (1, I32, physical), (3, I32, _OPTIONAL), (4, BINARY, name), (6, I32, converted), (10, STRUCT, logical)
            )
        )
    order = compact_protocol.struct((1, STRUCT, EMPTY))  # TypeDefinedOrder: without it the bounds may not be used
    return compact_protocol.struct(
        (1, I32, 1),
        (2, LIST, compact_protocol.sequence(STRUCT, elements)),
        (3, I64, rows),
        (4, LIST, compact_protocol.sequence(STRUCT, groups)),
        (6, BINARY, "justai_assets"),
        (7, LIST, compact_protocol.sequence(STRUCT, [order] * len(COLUMNS))),
    )
