"""The journal's format: records that prove themselves, so that a torn tail is seen for what it is.

A record is `magic (4) · length (4) · CRC-32 (4) · payload`; CRC and length are little-endian, and the CRC covers length
and payload. A payload is `tag length (2) · tag · envelope line`, and a tag is `door/slug/day`, where the day of undated
records is `-`. The first record of a segment has the tag `segment/<folder>/<number>` and no line: it names the segment,
wherever the file is moved. The last one of a segment that was closed in order has the tag `end`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

MAGIC: Final = b"\xabJ1\n"
_HEAD = struct.Struct("<4sII")
_TAG = struct.Struct("<H")
HEAD_BYTES: Final = _HEAD.size
UNDATED_MARK: Final = "-"


@lru_cache(maxsize=4096)
def tag_of(door: str, slug: str, day: date | None) -> bytes:
    """Where a line goes: door, org and day."""
    return f"{door}/{slug}/{UNDATED_MARK if day is None else day.isoformat()}".encode()


def place_of(tag: bytes) -> tuple[str, str, date | None]:
    """Door, org and day of a tag."""
    door, slug, day = tag.decode().split("/")
    return door, slug, None if day == UNDATED_MARK else date.fromisoformat(day)


def pack(tag: bytes, line: bytes) -> bytes:
    """One record."""
    payload = _TAG.pack(len(tag)) + tag + line
    return _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload, len(payload))) + payload


@dataclass(frozen=True)
class Record:
    """A record found in a segment: its tag, and where its line lies in the file."""

    tag: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Damage:
    """Bytes that are no record. `tail` is True when no record follows: a write that never finished."""

    start: int
    end: int
    tail: bool


def scan(content: mmap | bytes) -> Iterator[Record | Damage]:
    """Every record of a segment in order, and every stretch of bytes between that is none.

    After damage the scan goes on at the next bytes that are a whole record: acknowledged records behind a bad sector
    are found. Equal content gives an equal answer.
    """
    size = len(content)
    at = 0
    while at < size:
        record = _record_at(content, at, size)
        if record is not None:
            yield record
            at = record.end
            continue
        following = content.find(MAGIC, at + 1)
        while following >= 0 and _record_at(content, following, size) is None:
            following = content.find(MAGIC, following + 1)
        yield Damage(at, size if following < 0 else following, tail=following < 0)
        at = size if following < 0 else following


def _record_at(content: mmap | bytes, at: int, size: int) -> Record | None:
    start = at + _HEAD.size
    if start + _TAG.size > size:
        return None
    magic, length, crc = _HEAD.unpack_from(content, at)
    end = start + length
    if magic != MAGIC or length < _TAG.size or end > size:
        return None
    payload = content[start:end]
    if zlib.crc32(payload, length) != crc:
        return None
    (tag_length,) = _TAG.unpack_from(payload)
    line = start + _TAG.size + tag_length
    return Record(payload[_TAG.size : _TAG.size + tag_length], line, end) if line <= end else None


class SegmentFile:
    """A closed segment, read through the page cache; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        # An empty file cannot be mapped.
        empty = path.stat().st_size == 0
        self.content: mmap | bytes = b"" if empty else mmap(self._file.fileno(), 0, access=ACCESS_READ)

    def __enter__(self) -> SegmentFile:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the mapping back."""
        if isinstance(self.content, mmap):
            self.content.close()
        self._file.close()
