"""Send days that were counted before, kept in the lake until what they were counted from changes.

A test is judged from its first day on, every day anew. Counting a day reads it and the three after it; a year of days
would be read for hours to find what was found yesterday. So a day's cohorts are kept: its counts and funnel in
`cohort_counts`, its people in `cohort_people` (restricted), each day with a mark of what it was counted from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    COHORT_COUNTS,
    COHORT_PEOPLE,
    ESP_EVENTS,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import list_days
from justai_assets.metrics.experiments.cluster import PEOPLE
from justai_assets.metrics.experiments.cohorts import FUNNEL, Cohorts, counted_events
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.orgs.model import Org, Template
from justai_assets.sources.generate import DOOR
from justai_assets.storage import Root

_VERSION: Final = 1
"""Raised when the counting changes: what was kept under another number is counted anew."""

_STEPS: Final = ("opened", "machine_opened", "clicked", "converted", "unsubscribed")


def read_tables(org: Org) -> tuple[Table, ...]:
    """The tables that a day's cohorts are counted from."""
    return (UNIFIED_EVENTS,) if org.is_unified else (ESP_EVENTS, ATTRIBUTED_EVENTS)


@dataclass(frozen=True)
class KeptCohorts:
    """The kept days of a range, and what a day would be counted from now.

    Attributes:
        org: the org.
        lake: the lake.
        rows: COHORT_COUNTS of the range.
        marks: day → what it would be counted from now.
    """

    org: Org
    lake: Lake
    rows: pl.DataFrame
    marks: Mapping[date, str]

    @classmethod
    def read(cls, org: Org, lake: Lake, days: Days, landing: Root | None = None) -> KeptCohorts:
        """What is kept of the days; with a landing root, a day whose copies Generate told anew is not."""
        rows = lake.scan(org.slug, COHORT_COUNTS, days).collect()
        return cls(org, lake, rows, _marks(org, lake, days, landing))

    def get(self, day: date, templates: Sequence[Template], *, exactly: bool) -> Cohorts | None:
        """The cohorts of a day without their people, which stay in the lake; None when it has to be counted.

        Args:
            day: the send day.
            templates: whose cohorts are wanted.
            exactly: the day must hold these templates and no other, or its funnel is over too many.
        """
        mine = self.rows.filter(pl.col("event_date") == day)
        own = mine.filter(pl.col("metric").is_null())
        if own.height != 1 or own["mark"][0] != self.marks[day]:
            return None
        counted, wanted = json.loads(own["templates"][0]), _described(templates)
        if counted != wanted if exactly else not wanted.items() <= counted.items():
            return None
        kept = mine.filter(pl.col("template").is_null() | pl.col("template").is_in([one.id for one in templates]))
        return Cohorts(_counts(kept), pl.DataFrame(schema=PEOPLE), _funnel(kept), int(own["messages"][0]))

    def keep(self, day: date, found: Cohorts, templates: Sequence[Template]) -> None:
        """Keep a day that was counted: the people first, the mark last, so that a day half kept is no kept day."""
        one = Days(day, day)
        people = found.people.rename({"cohort_date": "event_date", "user": "user_key"})
        with self.lake.replacing(self.org.slug, COHORT_PEOPLE, one) as writer:
            # In order of the key, a range of people is a range of the file.
            writer.write(day, people.sort("user_key").select(COHORT_PEOPLE.schema.names()))
        with self.lake.replacing(self.org.slug, COHORT_COUNTS, one) as writer:
            writer.write(day, _rows(day, found, self.marks[day], json.dumps(_described(templates), sort_keys=True)))

    def people(self, days: Sequence[date]) -> pl.LazyFrame:
        """PEOPLE of kept days."""
        rows = self.lake.scan(self.org.slug, COHORT_PEOPLE, Days(min(days), max(days)))
        rows = rows.filter(pl.col("event_date").is_in(days))
        return rows.rename({"event_date": "cohort_date", "user_key": "user"}).select(PEOPLE.names())

    def people_rows(self, days: Sequence[date]) -> int:
        """How many rows `people` of the days has, from the log alone."""
        if not days:
            return 0
        counts = self.lake.counts(self.org.slug, COHORT_PEOPLE, Days(min(days), max(days)))
        return sum(counts[day] for day in days)


def _described(templates: Sequence[Template]) -> dict[str, list[str | None]]:
    return {
        one.id: [
            one.treatment.template_id,
            one.treatment.campaign_id,
            one.control.template_id if one.control else None,
            one.control.campaign_id if one.control else None,
        ]
        for one in templates
    }


def _marks(org: Org, lake: Lake, days: Days, landing: Root | None) -> dict[date, str]:
    """A hash of the rule, of the files that hold the day and the three after it, and of those that tell its copies."""
    rule = [_VERSION, counted_events(org), org.attribution.model_dump(mode="json")]
    files: dict[date, list[str]] = {}
    for table in read_tables(org):
        found = lake.open(org.slug, table)
        if found is None:
            continue
        log = pl.DataFrame(found.get_add_actions(flatten=True))
        for day, path in log.select("partition.event_date", "path").iter_rows():
            if day is not None:
                files.setdefault(day, []).append(f"{table.name}/{path}")
    calls = list_days(landing, DOOR, org.slug) if landing else {}
    marks = {}
    for day in days:
        followed = Days(day, day + timedelta(days=LOOKBACK_DAYS))
        seen = sorted(path for one in followed for path in files.get(one, ()))
        for one in (day - timedelta(days=1), day):
            seen += sorted(f"{each.key} {each.etag} {each.size}" for each in (calls[one].data if one in calls else ()))
        marks[day] = hashlib.sha256(json.dumps([rule, seen], sort_keys=True).encode()).hexdigest()
    return marks


def _rows(day: date, found: Cohorts, mark: str, templates: str) -> pl.DataFrame:
    own = pl.DataFrame({"mark": [mark], "templates": [templates], "messages": [found.sends_without_message]})
    steps = found.funnel.unpivot(_STEPS, index=["template", "sent"], variable_name="metric", value_name="successes")
    both = pl.concat([own, found.counts, steps.rename({"sent": "messages"})], how="diagonal_relaxed")
    both = both.with_columns(pl.lit(day).alias("event_date"), pl.col("successes").fill_null(0))
    return both.select(
        (pl.col(name) if name in both.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COHORT_COUNTS.schema.items()
    )


def _counts(rows: pl.DataFrame) -> pl.DataFrame:
    found = rows.filter(pl.col("arm").is_not_null()).rename({"event_date": "cohort_date"})
    return found.select(pl.col(name).cast(dtype) for name, dtype in COUNTS.items())


def _funnel(rows: pl.DataFrame) -> pl.DataFrame:
    steps = rows.filter(pl.col("arm").is_null(), pl.col("metric").is_not_null())
    wide = steps.group_by("template", "event_date").agg(
        pl.col("messages").first().alias("sent"),
        *(pl.col("successes").filter(pl.col("metric") == step).sum().alias(step) for step in _STEPS),
    )
    found = wide.rename({"event_date": "cohort_date"})
    return found.select(pl.col(name).cast(dtype) for name, dtype in FUNNEL.items())
