"""Undated webhook records that have become dated, filed under their day: an org's start_date was moved back.

The collector files what happened before start_date among the undated. Once start_date is earlier, `refile` copies those
lines, as they are, to an object under their own day. The undated object stays: of its lines, the readers of the folder
pass over those that have such a copy, so that each record is received once.

The copy's key is made of the undated object's and the day, and its content of that object's lines: filing again, also
after a run that died, writes the same. ADR 0013 says why lines are copied.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import zstandard

from justai_assets.contract.event_times import parse_time
from justai_assets.contract.reasons import REJECTIONS
from justai_assets.landing.filing_day import filed_under
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.lines import UnreadableError, lines
from justai_assets.landing.listing import LandedDay, list_day
from justai_assets.sources.registry import is_collected
from justai_assets.storage import Root

_Lines = Mapping[date, list[tuple[int, bytes]]]


def refile(landing: Root, slug: str, door: str, start: date) -> dict[date, int]:
    """Copy the undated records of a door that belong to a day from `start` on to that day.

    Returns:
        The records copied now, by day; those copied earlier are not among them.

    Raises:
        StorageError: the landing zone cannot be read or written.
    """
    # What a warehouse files without a date has no time of its own.
    if not is_collected(door):
        return {}
    copied: dict[date, int] = defaultdict(int)
    shelf = _Shelf(landing, door, slug)
    for found in list_day(landing, door, slug, None).data:
        with landing.on_disk([found.key]) as (path,):
            for day, numbered in _dated(path, door, start).items():
                if shelf.has(found.key, day):
                    continue
                content = b"".join(line.rstrip(b"\r\n") + b"\n" for _, line in numbered)
                landing.write(copy_key(door, slug, day, found.key), zstandard.ZstdCompressor().compress(content))
                copied[day] += len(numbered)
    return dict(copied)


def copied_lines(
    landing: Root, slug: str, landed: LandedDay, paths: list[Path], door: str, start: date
) -> Iterator[tuple[str, int]]:
    """(key, line number) of the undated lines that lie under their own day too, from `start` on.

    Args:
        landing: the landing root.
        slug: the org's.
        landed: the folder of undated records.
        paths: its data objects on disk, in their order.
        door: the door.
        start: the org's start_date. What lies before it is not read by day, and so is still undated.
    """
    shelf = _Shelf(landing, door, slug)
    for found, path in zip(landed.data, paths, strict=True):
        for day, numbered in _dated(path, door, start).items():
            if shelf.has(found.key, day):
                yield from ((found.key, number) for number, _ in numbered)


@dataclass(frozen=True)
class Undated:
    """What the undated webhook records of a door are.

    Attributes:
        early: records of events before the org's start_date, by the day of the event.
        others: records without a usable time, damaged ones included.
        unread: objects that were left out, for their bytes.
    """

    early: dict[date, int]
    others: int
    unread: int = 0

    @classmethod
    def of(cls, landing: Root, slug: str, door: str, start: date, *, most_bytes: int | None = None) -> Undated:
        """Read the folder of undated records; those that lie under their own day too are not counted.

        Args:
            landing: the landing root.
            slug: the org's.
            door: the door.
            start: the org's start_date.
            most_bytes: how much to read, the newest objects first; None reads all.
        """
        early: dict[date, int] = defaultdict(int)
        others = unread = 0
        left = most_bytes
        shelf = _Shelf(landing, door, slug)
        for found in sorted(list_day(landing, door, slug, None).data, key=lambda one: one.modified, reverse=True):
            if left is not None:
                if found.size > left:
                    unread += 1
                    continue
                left -= found.size
            with landing.on_disk([found.key]) as (path,):
                with suppress(UnreadableError):
                    others += sum(len(some) for some in lines(path))
                for day, numbered in _dated(path, door, date.min).items():
                    others -= len(numbered)
                    if day < start:
                        early[day] += len(numbered)
                    elif not shelf.has(found.key, day):
                        others += len(numbered)
        return cls(dict(early), others, unread)


def copy_key(door: str, slug: str, day: date, source: str) -> str:
    """Where the lines of an undated object that belong to a day are copied to."""
    digest = hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
    return f"{day_prefix(door, slug, day)}/refiled-{digest}.jsonl.zst"


def _dated(path: Path, door: str, start: date) -> _Lines:
    """The lines of an undated object that belong to a day, with their numbers as `read_envelopes` counts them."""
    by_day: dict[date, list[tuple[int, bytes]]] = defaultdict(list)
    number = 0
    # What follows damage is lost to every reader; what comes before it is whole.
    with suppress(UnreadableError):
        for some in lines(path):
            for line in some:
                day = _day_of(line, door, start)
                if day is not None:
                    by_day[day].append((number, line))
                number += 1
    return by_day


def _day_of(line: bytes, door: str, start: date) -> date | None:
    try:
        envelope = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(envelope, dict) or not isinstance(body := envelope.get("body"), dict):
        return None
    received_at = parse_time(envelope.get("received_at"))
    # A refused request stands for no event, whatever time its receipt has.
    if received_at is None or body.get("rejected") in REJECTIONS:
        return None
    return filed_under(door, body, received_at, start)


class _Shelf:
    """Which copies lie under the days of a door, each day listed once."""

    def __init__(self, landing: Root, door: str, slug: str) -> None:
        self._landing, self._door, self._slug = landing, door, slug
        self._keys: dict[date, set[str]] = {}

    def has(self, source: str, day: date) -> bool:
        if day not in self._keys:
            objects = self._landing.list_flat(day_prefix(self._door, self._slug, day))
            self._keys[day] = {one.key for one in objects}
        return copy_key(self._door, self._slug, day, source) in self._keys[day]
