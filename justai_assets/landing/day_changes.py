"""What changed at a door since it was last reported: pure rules over listings, without clock or storage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import Final

from justai_assets.landing.listing import LandedDay

GONE_SETTLE: Final = timedelta(hours=1)
"""How long everything must stay gone before it is believed: an empty root is more often a wrong root."""

MANY_DAYS: Final = 7
FEW_DAYS: Final = 2
"""Of an org with more known days than MANY_DAYS, more than FEW_DAYS gone and no other found: a wrong root, probably."""

Key = date | None
"""A day, or None for the folder of records without a usable date."""


@dataclass(frozen=True)
class Mark:
    """How a day looked when it was last reported.

    Attributes:
        listing: hash of what the listing says (names, ETags, sizes); cheap to compare.
        version: hash of what the day holds; what is reported as its data version. The same as `listing` where an
            ETag tells content (S3); on disk, where rewriting the same bytes looks like a change, a hash of the bytes.
    """

    listing: str
    version: str


class Unread(Enum):
    """Why a day has no data version now."""

    MOVED = "a file changed while it was read: the day has not settled"
    LATE = "the time was used up: the next tick reads on"


UNSURE: Final = "?"
"""In place of hashes: the day was perhaps reported by a tick that died; it is reported again, whatever it holds."""


@dataclass(frozen=True)
class Waiting:
    """A change that has not settled: how the day looks, and since when as far as is known."""

    listing: str
    since: datetime


@dataclass(frozen=True)
class Memory:
    """What one door remembers of one org: the days last reported, and the changes that wait to settle.

    Only days with objects are remembered: a day whose files vanished is reported once and forgotten.

    Attributes:
        marks: how each day looked when it was last reported.
        waiting: changes that have not settled.
        start: the org's first day at the last look, which says what days exist and what is undated; None: not known.
    """

    marks: Mapping[Key, Mark] = field(default_factory=dict)
    waiting: Mapping[Key, Waiting] = field(default_factory=dict)
    start: date | None = None

    def unsure_of(self, keys: Iterable[Key]) -> Memory:
        """The same, but for days that were perhaps reported since."""
        return replace(self, marks={**self.marks, **{key: Mark(UNSURE, UNSURE) for key in keys}})

    def has_other_start(self, start: date) -> bool:
        """Whether the org began on another day at the last look."""
        return self.start is not None and self.start != start


@dataclass(frozen=True)
class Landed:
    """One day as it was looked at.

    Attributes:
        day: the day's objects; none when they are gone.
        differing: what a manifest beside the days says otherwise than the listing (see `differing_names`).
        is_complete: whether the writer itself says that the day is complete.
    """

    day: LandedDay
    differing: tuple[str, ...] = ()
    is_complete: bool = False

    @cached_property
    def listing(self) -> str:
        """Hash of how the day looks; "" when it has no object and none is announced."""
        is_there = self.day.data or self.day.signs or self.day.links or self.differing
        return self.signed(self.day.fingerprint) if is_there else ""

    def signed(self, fingerprint: str) -> str:
        """A fingerprint of the day's objects together with what the manifest says otherwise."""
        if not self.differing:
            return fingerprint
        return hashlib.blake2b("\n".join([fingerprint, *self.differing]).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Changes:
    """What a look came to.

    Attributes:
        reports: changed, settled days with their new data version (EMPTY when no object is left).
        memory: what to remember once the reports have arrived.
        early: days with objects before the org's start; looked at again each time, never reported.
        late: days with objects after today; reported when their day has come.
        held_back: settled days beyond the limit or the tick's time; reported next time.
        is_gone: every known day that was looked at is gone at once; not believed before GONE_SETTLE.
    """

    reports: tuple[tuple[LandedDay, str], ...]
    memory: Memory
    early: int = 0
    late: int = 0
    held_back: int = 0
    is_gone: bool = False


EMPTY: Final = "empty"
"""Data version of a day that holds nothing."""

MANY_RANGES: Final = 2
"""A burst that falls apart into more ranges than these is joined over days without an object: each range is a run."""

MAX_GAP_DAYS: Final = 31
NEAR_DAYS: Final = 3


def compare(
    memory: Memory,
    looked: Mapping[Key, Landed],
    *,
    start: date,
    today: date,
    now: datetime,
    settle: timedelta,
    version: Callable[[Landed], str | Unread],
    limit: int,
) -> Changes:
    """What to report of the days that were looked at.

    A day is reported when it looks different from when it was last reported, exists as a partition (start … today) and
    has settled: the writer says that it is complete, or it has not changed for `settle`. Whatever is not reported is
    remembered as it was, so that it is found again.

    Args:
        memory: of this door and org.
        looked: the days that were listed, those without an object included; others are not judged.
        start: first day of the org.
        today: last day that exists.
        now: the time of the listing, UTC.
        settle: how long a day must be unchanged.
        version: data version of a day. The first that is LATE holds back all days after it that need one.
        limit: most reports.
    """
    marks = dict(memory.marks)
    waiting = dict(memory.waiting)
    reports: list[tuple[LandedDay, str]] = []
    early = late = held_back = 0
    is_late = False
    is_gone = _is_all_gone(memory, looked)
    for key in sorted(looked, key=lambda one: one or date.max):
        found = looked[key]
        if key is not None and not start <= key <= today:
            early += bool(found.listing) and key < start
            late += bool(found.listing) and key > today
            continue
        mark = marks.get(key)
        if (mark.listing if mark else "") == found.listing:
            waiting.pop(key, None)
            continue
        since = _changed_since(found, mark, waiting.get(key), now, settle)
        patience = max(settle, GONE_SETTLE) if is_gone else settle
        new: str | Unread = Unread.MOVED
        if found.is_complete or now - since >= patience:
            if len(reports) >= limit or (is_late and found.listing):
                held_back += 1
                continue
            new = version(found) if found.listing else EMPTY
        if new is Unread.LATE:
            is_late = True
            held_back += 1
            continue
        if isinstance(new, Unread):
            waiting[key] = Waiting(found.listing, since)
            continue
        waiting.pop(key, None)
        if mark is None or mark.version != new:
            reports.append((found.day, new))
        if found.listing:
            marks[key] = Mark(found.listing, new)
        else:
            marks.pop(key, None)
    return Changes(tuple(reports), Memory(marks, waiting, start), early, late, held_back, is_gone)


def _is_all_gone(memory: Memory, looked: Mapping[Key, Landed]) -> bool:
    known = [key for key in memory.marks if key is not None]
    gone = [key for key in known if key in looked]
    return len(known) > MANY_DAYS and len(gone) > FEW_DAYS and not any(found.listing for found in looked.values())


def _changed_since(
    found: Landed, mark: Mark | None, waited: Waiting | None, now: datetime, settle: timedelta
) -> datetime:
    """Since when a day has looked as it does.

    A new day, since its last object was written. A known one too, if that was lately; otherwise an object was deleted,
    or the change was overlooked for long: the storage does not tell since when, so the time counts from now.
    """
    if waited is not None and waited.listing == found.listing:
        return waited.since
    newest = found.day.newest
    if newest is None:
        return now
    is_new = mark is None or mark.listing == UNSURE
    return min(newest, now) if is_new or newest > now - settle else now


def bridged(
    reports: Sequence[tuple[LandedDay, str]], looked: Mapping[Key, Landed], known: Collection[Key]
) -> list[tuple[LandedDay, str]]:
    """The reports of a full sweep, with the empty days between them when they would fall apart into many ranges.

    A door that lands on every second day would otherwise cost a run a day; an empty day costs next to nothing. Joined
    are days at most NEAR_DAYS apart, and, further apart, days that land for the first time: the history of a new org
    is one burst. Old days that were rewritten far apart stay exactly those. Days that have objects and did not change
    are never bridged over.

    Args:
        reports: what changed.
        looked: every day that was looked at.
        known: days that were reported before.
    """
    days = sorted(day.day for day, _ in reports if day.day is not None)
    gaps = [(one, other) for one, other in pairwise(days) if (other - one).days > 1]
    if len(gaps) < MANY_RANGES:
        return list(reports)
    between: list[tuple[LandedDay, str]] = []
    for one, other in gaps:
        is_first = one not in known and other not in known
        if (other - one).days > (MAX_GAP_DAYS if is_first else NEAR_DAYS):
            continue
        inside = [one + timedelta(days=number) for number in range(1, (other - one).days)]
        if not any(day in looked and looked[day].listing for day in inside):
            between += [(LandedDay(day, (), ()), EMPTY) for day in inside]
    return sorted([*reports, *between], key=lambda report: report[0].day or date.max)


def differing_names(day: LandedDay, named: Mapping[str, int]) -> tuple[str, ...]:
    """What a manifest beside the days says of a day otherwise than its listing.

    Args:
        day: the day.
        named: name → records of the data files that the manifest names for this day; empty if it names none.

    A file that it leaves out is not read, one that it names but that is not there is missed: both change what the day
    holds, and only then is the manifest part of the hash. One that moves on to later days changes nothing by that.
    """
    if not named:
        return ()
    there = {found.name for found in day.data}
    missing = (f"{name} {named[name]}" for name in named.keys() - there)
    return (*sorted(there - named.keys()), *sorted(missing))
