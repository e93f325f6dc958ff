"""Which days a file holds, the fingerprint of a day, and both as text that is kept between runs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from justai_assets.sources.delta_share.answers import SharedFile

UNDATED = "undated"
"""The day of rows without an event_date: they are read, counted and refused, never written."""

Day = date | None
"""An event_date, or None for the rows that have none."""


def known_days(file: SharedFile, learned: Mapping[str, str]) -> frozenset[Day] | None:
    """The days a file holds rows of, or None when only reading it can tell.

    A file without rows holds none. A partition value says it; so do statistics whose smallest and greatest event_date
    are one day and that count no NULL; so does what an earlier run found in the file (a file id always means the same
    content).

    >>> file = SharedFile("a", "", 1, partition={"event_date": "2026-01-02"})
    >>> known_days(file, {})
    frozenset({datetime.date(2026, 1, 2)})
    """
    if file.records == 0:
        return frozenset()
    if "event_date" in file.partition:
        return frozenset({_partition_day(file.partition["event_date"])})
    if file.first is not None and file.first == file.last and file.has_undated is False:
        return frozenset({file.first})
    if file.id in learned:
        return parse_days(learned[file.id])
    return None


def _partition_day(value: str | None) -> Day:
    """The day of a partition value; None for one that no date can be (year 10000, 52026): its rows are refused."""
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        return None


def fingerprints(files: Iterable[tuple[SharedFile, frozenset[Day]]]) -> dict[Day, str]:
    """Day → 32 hex digits over the sorted (id, size, deletion vector) of the files that hold it.

    The version that a server may give beside a file is left out: it depends on how one asks, not on the content.
    """
    parts: dict[Day, list[str]] = defaultdict(list)
    for file, days in files:
        for day in days:
            parts[day].append(f"{file.id}\0{file.size}\0{file.deletion_vector}\n")
    return {
        day: hashlib.blake2b("".join(sorted(found)).encode(), digest_size=16).hexdigest()
        for day, found in parts.items()
    }


def day_text(day: Day) -> str:
    """YYYY-MM-DD, or `undated`."""
    return UNDATED if day is None else day.isoformat()


def parse_day_text(text: str) -> Day:
    """The inverse of `day_text`."""
    return None if text == UNDATED else date.fromisoformat(text)


def days_text(days: Iterable[Day]) -> str:
    """A set of days in few characters.

    >>> days_text([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5), None])
    '2026-01-01..2026-01-02,2026-01-05,undated'
    """
    found = set(days)
    spans: list[list[date]] = []
    for day in sorted(day for day in found if day is not None):
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1][1] = day
        else:
            spans.append([day, day])
    texts = [f"{first}" if first == last else f"{first}..{last}" for first, last in spans]
    return ",".join([*texts, UNDATED] if None in found else texts)


def parse_days(text: str) -> frozenset[Day]:
    """The inverse of `days_text`."""
    days: set[Day] = set()
    for part in filter(None, text.split(",")):
        if part == UNDATED:
            days.add(None)
            continue
        first, _, last = part.partition("..")
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
        days.update(start + timedelta(days=offset) for offset in range((end - start).days + 1))
    return frozenset(days)
