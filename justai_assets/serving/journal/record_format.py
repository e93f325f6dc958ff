"""The journal's format: records that prove themselves, so that a torn tail is seen for what it is.

A record is `magic (4) · length (4) · CRC-32 (4) · number (4) · payload`, all little-endian; the CRC covers the payload,
then length and number. Records of a segment are numbered from 0, so that one that is missing is noticed also where the
file was cut between two records. A payload is `tag length (2) · tag · envelope line`, and a tag is `source/slug/day`,
where the day of undated records is `-`. The first record of a segment has the tag `segment/<folder>/<number>` and no
line: it names the segment, wherever the file is moved. The last one of a segment that was closed in order has the tag
`end`.

Segments of an earlier version have another magic and no numbers; they are read as well.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from justai_assets.serving.journal.journal_folders import open_regular

MAGIC: Final = b"\xabJ2\n"
UNNUMBERED_MAGIC: Final = b"\xabJ1\n"
_COMMON: Final = b"\xabJ"
_HEAD = struct.Struct("<4sIII")
_UNNUMBERED_HEAD = struct.Struct("<4sII")
_CHECKED = struct.Struct("<II")
_TAG = struct.Struct("<H")
UNDATED_MARK: Final = "-"
_CHUNK = 1 << 20
_SECTOR = 4096


@lru_cache(maxsize=4096)
def tag_of(door: str, slug: str, day: date | None) -> bytes:
    """Where a line goes: door, org and day."""
    return f"{door}/{slug}/{UNDATED_MARK if day is None else day.isoformat()}".encode()


def place_of(tag: bytes) -> tuple[str, str, date | None]:
    """Door, org and day of a tag."""
    door, slug, day = tag.decode().split("/")
    return door, slug, None if day == UNDATED_MARK else date.fromisoformat(day)


@dataclass(frozen=True)
class Payload:
    """A tag and a line with their checksum, before they have a number in a segment."""

    content: bytes
    crc: int

    @classmethod
    def of(cls, tag: bytes, line: bytes) -> Payload:
        """From a tag and a line."""
        content = _TAG.pack(len(tag)) + tag + line
        return cls(content, zlib.crc32(content))

    def record(self, number: int) -> bytes:
        """The record with that number."""
        length = len(self.content)
        return _HEAD.pack(MAGIC, length, zlib.crc32(_CHECKED.pack(length, number), self.crc), number) + self.content


def pack(tag: bytes, line: bytes, number: int) -> bytes:
    """One record."""
    return Payload.of(tag, line).record(number)


@dataclass(frozen=True)
class Record:
    """A record found in a segment: its tag, where its line lies, and its number (None in an earlier version's)."""

    tag: bytes
    start: int
    end: int
    number: int | None


@dataclass(frozen=True)
class Damage:
    """Bytes that are no record. `tail` is True when no record follows: a write that never finished."""

    start: int
    end: int
    tail: bool


def is_newer(content: bytes) -> bool:
    """Whether a segment begins as one of a later version does, which this one cannot read."""
    return content.startswith(_COMMON) and content[3:4] == MAGIC[3:] and content[: len(MAGIC)] > MAGIC


def scan(content: bytes) -> Iterator[Record | Damage]:
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
        following = content.find(_COMMON, at + 1)
        while following >= 0 and _record_at(content, following, size) is None:
            following = content.find(_COMMON, following + 1)
        yield Damage(at, size if following < 0 else following, tail=following < 0)
        at = size if following < 0 else following


def _record_at(content: bytes, at: int, size: int) -> Record | None:
    magic = content[at : at + len(MAGIC)]
    head = {MAGIC: _HEAD, UNNUMBERED_MAGIC: _UNNUMBERED_HEAD}.get(magic)
    if head is None or at + head.size + _TAG.size > size:
        return None
    _, length, crc, *numbers = head.unpack_from(content, at)
    start = at + head.size
    end = start + length
    if length < _TAG.size or end > size:
        return None
    payload = content[start:end]
    number = numbers[0] if numbers else None
    found = (
        zlib.crc32(payload, length)
        if number is None
        else zlib.crc32(_CHECKED.pack(length, number), zlib.crc32(payload))
    )
    if found != crc:
        return None
    (tag_length,) = _TAG.unpack_from(payload)
    line = start + _TAG.size + tag_length
    return Record(payload[_TAG.size : _TAG.size + tag_length], line, end, number) if line <= end else None


@dataclass(frozen=True)
class SegmentFile:
    """The content of a segment, and how many bytes of it the disk did not give.

    Bytes that cannot be read are zeros in the content: what lies around them is found all the same.
    """

    content: bytes
    unreadable: int

    @classmethod
    def read(cls, path: Path) -> SegmentFile:
        """Read a segment; OSError when it cannot be opened or is no regular file.

        It is read and not mapped: a bad sector under a mapping ends the process with a signal.
        """
        descriptor = open_regular(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            parts, unreadable = [], 0
            for at in range(0, size, _CHUNK):
                part, lost = _read(descriptor, at, min(_CHUNK, size - at))
                parts.append(part)
                unreadable += lost
        finally:
            os.close(descriptor)
        return cls(b"".join(parts), unreadable)


def _read(descriptor: int, at: int, size: int) -> tuple[bytes, int]:
    """Bytes of a file, zeros where the disk gives none, and how many those are."""
    parts, lost, step, end = [], 0, size, at + size
    while at < end:
        asked = min(step, end - at)
        try:
            part = os.pread(descriptor, asked, at)
        except OSError:
            if step > _SECTOR:
                step = _SECTOR
                continue
            part = bytes(asked)
            lost += asked
        if not part:
            # The file is shorter by now; the rest of it is not there.
            break
        # Before a bad sector the kernel gives what it has: a short answer is no end.
        parts.append(part)
        at += len(part)
    return b"".join(parts), lost
