"""How far each door of an org has come: what landed last, and which days are built from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import list_day
from justai_assets.storage import Root


@dataclass(frozen=True)
class DoorStatus:
    """One door of one org, as of now.

    Attributes:
        slug: the org.
        door: the door.
        last_file: when its newest object was written, UTC; None when none landed in the days looked at.
        last_day: the latest day that has data.
        complete: the latest day that is built from everything that had landed for it; None when none is, or when no
            table reads the door.
        behind: days that have landed, or changed, since they were built.
    """

    slug: str
    door: str
    last_file: datetime | None
    last_day: date | None
    complete: date | None
    behind: tuple[date, ...]

    def lag(self, now: datetime) -> timedelta | None:
        """How long ago the newest object was written."""
        return None if self.last_file is None else now - self.last_file


def door_status(landing: Root, slug: str, door: str, days: Days, built: dict[date, datetime] | None) -> DoorStatus:
    """Look at the folders of a range of days, ending today.

    Args:
        landing: the landing root.
        slug: the org.
        door: a landing door.
        days: the days to look at; each is one listing.
        built: `built_at` of the table that reads the door; None when none does.

    A file that lands while its day is being built counts as built: the sensors, which compare contents, are exact.
    """
    last_file: datetime | None = None
    last_day: date | None = None
    complete: date | None = None
    behind: list[date] = []
    for day in days:
        landed = list_day(landing, door, slug, day)
        if landed.newest is not None:
            last_file = max(last_file or landed.newest, landed.newest)
        if landed.data:
            last_day = day
        if built is None:
            continue
        at = built.get(day)
        if at is not None and (landed.newest is None or landed.newest <= at):
            complete = day
        elif landed.newest is not None:
            behind.append(day)
    return DoorStatus(slug, door, last_file, last_day, complete, tuple(behind))


def built_at(lake: Lake, slug: str, asset: str, days: Days) -> dict[date, datetime]:
    """When each day of a table was last built: when the ledger's entry of it was written."""
    found = lake.open(slug, FATES)
    if found is None:
        return {}
    log = pl.DataFrame(found.get_add_actions(flatten=True)).filter(pl.col("partition.asset") == asset)
    at: dict[date, datetime] = {}
    for day, milliseconds in log.select("partition.event_date", pl.col("modification_time").cast(pl.Int64)).iter_rows():
        if day in days:
            moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
            at[day] = max(at.get(day, moment), moment)
    return at
