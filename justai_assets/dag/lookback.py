"""What a run of some days needs of the days before them, and which later days it leaves out of date.

Attribution reads the sends of D-3 … D, and the metrics of a unified stream its own. Whoever builds day D alone has
therefore to have the three days before it, and whoever builds it again has changed what the three days after it read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import MESSAGE_OUTCOMES, Table
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import list_day
from justai_assets.orgs.org_model import Org
from justai_assets.quality.punctuality import built_at
from justai_assets.sources.lineage import downstream, org_tables, reads, stream_tables, table_of, upstream
from justai_assets.sources.registry import lands
from justai_assets.storage import Root


@dataclass(frozen=True)
class Lookback:
    """How the days of an org's tables hang together.

    Attributes:
        org: the org.
        made: the tables that make the one whose earlier days are read, upstream first; that one is the last.
        below: the table that reads it, D-3 … D, and what is made of that table, upstream first.
    """

    org: Org
    made: tuple[Table, ...]
    below: tuple[Table, ...]

    @classmethod
    def of(cls, org: Org) -> Lookback:
        """How an org's tables hang together, by its lineage."""
        base = table_of(org, org.engagement)
        assert base is not None, "an org reads its engagement source"
        looking = [
            one for one in org_tables(org) if any(read.table == base and read.back > 1 for read in reads(org, one))
        ]
        below = {one.name for table in looking for one in (table, *downstream(org, table))}
        return cls(org, (*upstream(org, base), base), tuple(one for one in org_tables(org) if one.name in below))

    @property
    def base(self) -> Table:
        """The table whose earlier days are read."""
        return self.made[-1]

    @property
    def reader(self) -> Table:
        """The table that reads them."""
        return self.below[0]

    def before(self, days: Days) -> Days | None:
        """The three days before a range, from the org's start on; None when there is none."""
        first = max(days.first - timedelta(days=LOOKBACK_DAYS), self.org.start_date)
        return Days(first, days.first - timedelta(days=1)) if first < days.first else None

    def unbuilt(self, lake: Lake, days: Days) -> list[date]:
        """The days that a range reads of which the base table was never built: their sends are not known."""
        before = self.before(days)
        wanted = Days(before.first if before else days.first, days.last)
        built = built_at(lake, self.org.slug, self.base.name, wanted)
        return [day for day in wanted if day not in built]

    def needed(self, lake: Lake, landing: Root, days: Days) -> list[date]:
        """Of the days before a range, those to build first: never built, or landed since they were.

        A file that vanished is not noticed here; the sensors of the sources, which compare contents, notice it.
        """
        before = self.before(days)
        if before is None:
            return []
        built = built_at(lake, self.org.slug, self.base.name, before)
        return [day for day in before if day not in built or self._has_landed_since(landing, day, built[day])]

    def outdated(self, lake: Lake, days: Days, *, today: date) -> list[date]:
        """Days outside a range, up to three after it or as many before it, that stand on sends built after them."""
        first = max(days.first - timedelta(days=LOOKBACK_DAYS), self.org.start_date)
        around = Days(first, max(min(days.last + timedelta(days=LOOKBACK_DAYS), today), days.last))
        sent = built_at(
            lake,
            self.org.slug,
            self.base.name,
            Days(max(first - timedelta(days=LOOKBACK_DAYS), self.org.start_date), around.last),
        )
        read = built_at(lake, self.org.slug, self.reader.name, around)
        return sorted(
            day
            for day, at in read.items()
            if day not in days
            and any(sent.get(day - timedelta(days=back), at) > at for back in range(LOOKBACK_DAYS + 1))
        )

    def reopened(self, lake: Lake, days: Days, *, today: date) -> list[date]:
        """Send days around a range, and in it, whose outcomes are older than events up to three days before or after.

        A message is followed for three days, and is no new one within three days of a send.
        """
        reach = timedelta(days=LOOKBACK_DAYS)
        start = self.org.start_date
        around = Days(max(days.first - reach, start), max(min(days.last + reach, today), days.last))
        wide = Days(max(around.first - reach, start), around.last + reach)
        made = built_at(lake, self.org.slug, MESSAGE_OUTCOMES.name, around)
        changed: dict[date, datetime] = {}
        for table in stream_tables(self.org):
            for day, at in built_at(lake, self.org.slug, table.name, wide).items():
                changed[day] = max(at, changed.get(day, at))
        offsets = range(-LOOKBACK_DAYS, LOOKBACK_DAYS + 1)
        return sorted(
            day
            for day, at in made.items()
            if any(changed.get(day + timedelta(days=offset), at) > at for offset in offsets)
        )

    def _has_landed_since(self, landing: Root, day: date, built: datetime) -> bool:
        if not lands(self.org.engagement):
            return False
        newest = list_day(landing, self.org.engagement, self.org.slug, day).newest
        return newest is not None and newest > built
