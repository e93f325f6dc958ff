"""How far each door of an org has come: what landed last, and which days are built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, TABLES
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import days_and_strays, list_day
from justai_assets.storage import Root

LATE_AFTER: Final = timedelta(hours=26)
"""Every door lands something every day: a warehouse exports daily, and two hours of slack are no alarm."""

SILENT_AFTER: Final = timedelta(hours=50)
"""Two days missed."""

Lateness = Literal["on time", "late", "silent"]

_EMPTY_FOLDERS: Final = 5
"""Folders without a data file that are passed over on the way to the newest day with one."""


@dataclass(frozen=True)
class DoorStatus:
    """One door of one org, as of now.

    Attributes:
        slug: the org.
        door: the door.
        last_file: when the newest object of the days looked at was written, UTC; of a share, when the mirror last took
            something. None when nothing ever landed.
        last_day: the latest day that has data.
        complete: the latest day with data that is built from everything that had landed for it; None when none is, or
            when no table reads the door. A day that was rebuilt empty is no complete one.
        behind: days of the range that have landed, or changed, since they were built.
        strays: what lies in no day's folder and is never read; see `days_and_strays`.
        early: webhook records of events before the org's start_date, which are in no table, by the day of the event.
        undated_unread: undated objects that were too large to be looked into for such records.
    """

    slug: str
    door: str
    last_file: datetime | None
    last_day: date | None
    complete: date | None
    behind: tuple[date, ...]
    strays: tuple[str, ...] = ()
    early: Mapping[date, int] = field(default_factory=dict)
    undated_unread: int = 0

    def lag(self, now: datetime) -> timedelta | None:
        """How long ago the newest object was written."""
        return None if self.last_file is None else now - self.last_file

    def lateness(self, now: datetime, start: date) -> Lateness:
        """Whether the door lands as it should. One that never landed is late since the org began."""
        since = self.last_file or datetime(start.year, start.month, start.day, tzinfo=UTC)
        lag = now - since
        return "on time" if lag < LATE_AFTER else "late" if lag < SILENT_AFTER else "silent"


def door_status(landing: Root, slug: str, door: str, days: Days, built: dict[date, datetime] | None) -> DoorStatus:
    """Look at the folders of a range of days, ending today, and at the newest one before it when the range has no data.

    Args:
        landing: the landing root.
        slug: the org.
        door: a landing door.
        days: the days to look at; each that has a folder is one listing.
        built: `built_at` of the table that reads the door; None when none does.

    A file that lands while its day is being built counts as built: the sensors, which compare contents, are exact.
    """
    folders, strays = days_and_strays(landing, door, slug)
    there = [day for day in folders if day <= days.last]
    looked = {day: list_day(landing, door, slug, day) for day in there if day in days}
    if not any(found.data for found in looked.values()):
        for day in [one for one in reversed(there) if one not in days][:_EMPTY_FOLDERS]:
            looked[day] = list_day(landing, door, slug, day)
            if looked[day].data:
                break
    written = {day: found.newest for day, found in looked.items() if found.newest is not None}
    filled = {day for day, found in looked.items() if found.data}
    return replace(_status(slug, door, days, written, filled, built), strays=tuple(strays))


def share_status(lake: Lake, slug: str, days: Days, built: dict[date, datetime]) -> DoorStatus:
    """The share of an org as its mirror knows it: the share itself is not asked.

    Args:
        lake: the lake.
        slug: the org.
        days: the days that may be behind.
        built: `built_at` of the table made of the mirror.
    """
    mirrored = built_at(lake, slug, DELTA_SHARE.name, None)
    taken = {day: at for day, at in mirrored.items() if day <= days.last}
    held = lake.counts(slug, DELTA_SHARE, Days(min(taken), max(taken))) if taken else {}
    return _status(slug, DELTA_SHARE.name, days, taken, {day for day, rows in held.items() if rows}, built)


def _status(
    slug: str,
    door: str,
    days: Days,
    written: dict[date, datetime],
    filled: set[date],
    built: dict[date, datetime] | None,
) -> DoorStatus:
    complete: date | None = None
    behind: list[date] = []
    for day, at in sorted(written.items()):
        if built is None:
            continue
        if day not in built or built[day] < at:
            behind += [day] if day in days else []
        elif day in filled:
            complete = day
    return DoorStatus(
        slug, door, max(written.values(), default=None), max(filled, default=None), complete, tuple(behind)
    )


def built_at(lake: Lake, slug: str, asset: str, days: Days | None) -> dict[date, datetime]:
    """When each day of a table (None: every day) was last built; see `BuiltDays`."""
    built = BuiltDays.of(lake, slug, TABLES[asset]).at
    return {day: at for day, at in built.items() if days is None or day in days}
