"""The Thrift compact protocol, as much of it as a Parquet footer takes to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BOOL, I32, I64, BINARY, LIST, STRUCT = 1, 5, 6, 8, 9, 12
EMPTY: Final = b"\x00"
"""A struct without fields."""


def varint(value: int) -> bytes:
    """An unsigned number, seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> bytes:
    """A signed 64-bit number: 0, -1, 1, -2 … as 0, 1, 2, 3."""
    return varint((value << 1) ^ (value >> 63))


def struct(*fields: tuple[int, int, int | str | bytes | bool] | None) -> bytes:
    """A struct of (field id, type, value); None and ascending ids only. LIST and STRUCT values are already encoded."""
    out, previous = bytearray(), 0
    for field in fields:
        if field is None:
            continue
        number, kind, value = field
        if kind == BOOL:
            kind, encoded = (1, b"") if value else (2, b"")
        elif isinstance(value, int):
            encoded = zigzag(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            encoded = varint(len(raw)) + raw if kind == BINARY else raw
        step = number - previous
        out += bytes([step << 4 | kind]) if step <= 15 else bytes([kind]) + zigzag(number)
        out += encoded
        previous = number
    return bytes(out) + b"\x00"


def sequence(kind: int, encoded: Sequence[bytes]) -> bytes:
    """A list of elements of one type, each already encoded."""
    size = len(encoded)
    head = bytes([size << 4 | kind]) if size < 15 else bytes([0xF0 | kind]) + varint(size)
    return head + b"".join(encoded)


def numbers(values: Sequence[int]) -> bytes:
    """A list of i32."""
    return sequence(I32, [zigzag(value) for value in values])


def texts(values: Sequence[str]) -> bytes:
    """A list of strings."""
    return sequence(BINARY, [varint(len(raw)) + raw for raw in (value.encode() for value in values)])
