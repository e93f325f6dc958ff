"""What a day holds, by its bytes: read a stretch at a time, so that a tick ends whatever lies on the disk.

An S3 ETag follows the content. A file's inode and time do not: the same bytes written again would look changed, so a
day on disk is hashed once a change is suspected. A day may be large and there may be many; what was read of one is
kept between ticks, as the state of its hash and the place in the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from justai_assets.landing.day_changes import Key, Landed, Unread
from justai_assets.landing.listing import by_key, line_of
from justai_assets.storage import LandedObject, Root

MAX_HASHED_BYTES: Final = 2 << 30
"""A larger day on disk is taken by its listing: hashing it would cost what reading it costs."""

STRETCH: Final = 16 << 20
"""Bytes read between two looks at the clock."""

MAX_UNFINISHED: Final = 100
"""Days that may be half read; the one begun first is then begun again. A tick leaves one behind, at most."""


def _hash() -> Any:
    return hashlib.blake2b(digest_size=16)


@dataclass
class _Reading:
    """How far a day was read: whole files are in the fingerprint, of the next one `offset` bytes are in its hash."""

    listing: str
    fingerprint: Any = field(default_factory=_hash)
    files: int = 0
    content: Any = field(default_factory=_hash)
    offset: int = 0


@dataclass
class Contents:
    """The days being read. Losing it costs reading them again."""

    unfinished: dict[tuple[str, Key], _Reading] = field(default_factory=dict)

    def version(self, root: Root, slug: str, found: Landed, is_late: Callable[[], bool]) -> str | Unread:
        """What identifies a day's content: its listing's hash on S3, a hash of its bytes on disk.

        Args:
            root: the landing root.
            slug: the org.
            found: the day as it was listed.
            is_late: whether the time is used up. One stretch is read in any case, so that every call comes further.

        Returns:
            The version; MOVED when a file changed or vanished since it was listed; LATE when the next call goes on.
        """
        if not root.is_local or found.day.bytes > MAX_HASHED_BYTES:
            return found.listing
        place = (slug, found.day.day)
        reading = self.unfinished.pop(place, None)
        if reading is None or reading.listing != found.listing:
            reading = _Reading(found.listing)
        objects = by_key((*found.day.data, *found.day.signs))
        while reading.files < len(objects):
            try:
                is_whole = _read_on(root, objects[reading.files], reading)
            except FileNotFoundError:
                return Unread.MOVED
            if is_whole is None:
                return Unread.MOVED
            if not (is_whole and reading.files == len(objects)) and is_late():
                self._keep(place, reading)
                return Unread.LATE
        for link in found.day.links:
            reading.fingerprint.update(line_of(link))
        return found.signed(reading.fingerprint.hexdigest())

    def _keep(self, place: tuple[str, Key], reading: _Reading) -> None:
        while len(self.unfinished) >= MAX_UNFINISHED:
            del self.unfinished[next(iter(self.unfinished))]
        self.unfinished[place] = reading


def _read_on(root: Root, found: LandedObject, reading: _Reading) -> bool | None:
    """Read a stretch of a file: whether it is whole now, None when it is shorter than it was listed."""
    with root.local(found.key).open("rb") as file:
        file.seek(reading.offset)
        stretch = file.read(min(STRETCH, found.size - reading.offset))
    reading.content.update(stretch)
    reading.offset += len(stretch)
    if reading.offset < found.size:
        return False if stretch else None
    whole = LandedObject(found.key, found.size, reading.content.hexdigest(), found.modified)
    reading.fingerprint.update(line_of(whole))
    reading.files += 1
    reading.content, reading.offset = _hash(), 0
    return True
