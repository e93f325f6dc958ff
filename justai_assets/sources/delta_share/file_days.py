"""Which days a file holds, the fingerprint of a day, both as text, and the damaged files whose days nothing tells."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from justai_assets.contract.foreign_names import safe_key
from justai_assets.sources.delta_share.protocol import SharedFile
from justai_assets.sources.delta_share.share_errors import CorruptFileError

UNDATED = "undated"
"""The day of rows without an event_date: they are read, counted and rejected, never written."""

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
    """The day of a partition value; None for one that no date can be (year 10000, 52026): its rows are rejected."""
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


@dataclass
class UndatableFiles:
    """The damaged files of one listing of which nothing but their rows could tell the days.

    Such a file is counted with the undated rows and named in the quarantine. The days that other files give are
    mirrored, and each day that the file may hold says so. Of these, a day that the mirror holds is never emptied or
    made smaller: its rows may have moved into the damaged file.
    """

    _found: dict[str, tuple[SharedFile, CorruptFileError]] = field(default_factory=dict)

    def add(self, file: SharedFile, error: CorruptFileError) -> None:
        """Take in a file, and why it cannot be read."""
        self._found[file.id] = (file, error)

    def __contains__(self, file_id: object) -> bool:
        """Whether the file of an id is one of them."""
        return file_id in self._found

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def records(self) -> Iterator[tuple[SharedFile, str, int]]:
        """Each file with the reason and its rows, by the list or by its footer; 1 where neither tells them."""
        for file, error in self._found.values():
            yield file, error.reason, _records(file, error)

    def may_hold(self, day: Day) -> bool:
        """Whether one of them may hold rows of a day, by what its statistics say."""
        return any(_may_hold(file, day) for file, _ in self._found.values())

    def note(self, days: Iterable[Day]) -> str:
        """What a person should know; `days` are those of the share and of the mirror."""
        files = "; ".join(_said(file, error) for file, error in self._found.values())
        spans = days_text(day for day in days if self.may_hold(day)) or "none that other files or the mirror hold"
        return f"{files}; days that may be incomplete: {spans}"

    def day_note(self, day: Day) -> tuple[str, ...]:
        """What a person should know of one day."""
        said = "; ".join(_said(file, error) for file, error in self._found.values() if _may_hold(file, day))
        return (f"may be incomplete: {said}",) if said else ()

    def error(self, days: Iterable[Day], others: Iterable[CorruptFileError] = ()) -> CorruptFileError:
        """What the run fails with at its end: see `note`, and what else cannot be read."""
        return CorruptFileError(
            "; ".join(dict.fromkeys((self.note(days), *(error.args[0] for error in others)))),
            mend="run it again to download them anew; if it stays, ask the provider to rewrite them; the other files' "
            "rows are mirrored",
        )


def _may_hold(file: SharedFile, day: Day) -> bool:
    if day is None:
        return file.has_undated is not False
    return (file.first is None or file.first <= day) and (file.last is None or day <= file.last)


def _records(file: SharedFile, error: CorruptFileError) -> int:
    return max(1, error.rows if file.records is None else file.records)


def _said(file: SharedFile, error: CorruptFileError) -> str:
    if file.first is None or file.last is None:
        where = "of unknown days"
    else:
        where = f"of days within {file.first}..{file.last}"
    why = f": {error.reason} {error.column}" if error.column else ""
    return f"file {safe_key(file.id)} of the share ({_records(file, error):,} rows, {where}) cannot be read{why}"
