"""Restatements: numbers of a finished day that moved after they were first given, and what moved them.

A day is finished when it was over (UTC) before its numbers were computed: the day that is still running moves all the
time, and says so. A send cohort is closed when the three days in which its messages are followed are over, too. A day's
first numbers are no restatement. Events by day are recorded in `restatements`, send cohorts in `cohort_restatements`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl
from deltalake.exceptions import DeltaError

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import (
    ATTRIBUTION_METRICS,
    COHORT_RESTATEMENTS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    RESTATEMENTS,
    SERVED_COPIES,
    Table,
)
from justai_assets.experiments.copy_daily import counting_rule
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import list_day
from justai_assets.orgs.extra_columns import VALUE as PAID
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import landed_in
from justai_assets.sources.lineage import upstream as upstream_tables
from justai_assets.sources.registry import lands
from justai_assets.storage import Root

UPSTREAM_NOTE: Final = "upstream"
EVENTS: Final = "events"
CONVERSIONS: Final = "attributed_conversions"
MESSAGES: Final = "messages"
SUCCESSES: Final = "successes"
VALUE: Final = "value"
_KEY: Final = ("template_id", "campaign_id", "event_name", "number", "window_hours")
_COHORT_KEY: Final = ("template", "arm", "copy_id", "metric", "number", "window_hours")
_MAX_FILES: Final = 100
_TOLD_BY: Final = (
    "event_id", "event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "is_machine", "email_key",
    "user_key", "copy_id", PAID,
)  # fmt: skip
"""The columns of an event that a number can depend on: a file is the same while these are, whenever it came."""


@dataclass(frozen=True)
class Given:
    """The numbers as they were given before a rebuild.

    Attributes:
        table: ATTRIBUTION_METRICS or COPY_DAILY.
        rows: its rows of the finished days among them.
        at: day → when its numbers were computed; finished days only.
        upstream: day → table → version the numbers were computed from; empty where not recorded.
        now: table → version as it is now.
    """

    table: Table
    rows: pl.DataFrame
    at: Mapping[date, datetime]
    upstream: Mapping[date, Mapping[str, int]]
    now: Mapping[str, int]

    @classmethod
    def read(cls, org: Org, lake: Lake, days: Days, table: Table = ATTRIBUTION_METRICS) -> Given:
        """What a table of numbers says of the days, and from what it was computed."""
        opened = {
            one.name: lake.open(org.slug, one)
            for one in upstream_tables(org, table)
            if one not in (DELTA_SHARE, MESSAGE_OUTCOMES)
        }
        now = {name: one.version() for name, one in opened.items() if one is not None}
        found = lake.open(org.slug, table)
        if found is None:
            return cls(table, pl.DataFrame(schema=table.schema), {}, {}, now)
        names = (f"partition.{table.day_column}", "modification_time")
        files = pl.DataFrame(found.get_add_actions(flatten=True)).select(names)
        # A message is followed for three days: until then its cohort fills, and moves all the time.
        open_for = timedelta(days=LOOKBACK_DAYS if table is COPY_DAILY else 0)
        at: dict[date, datetime] = {}
        commits = _commits(found.history(), days)
        # A day that was given as empty has no file; the commit that gave it tells when.
        moments = [*files.iter_rows(), *((day, commit["timestamp"]) for day, commit in commits.items())]
        for day, milliseconds in moments:
            moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
            if day in days and moment.date() > day + open_for:
                at[day] = max(moment, at.get(day, moment))
        rows = lake.scan(org.slug, table, days).filter(pl.col(table.day_column).is_in(list(at))).collect()
        upstream = {day: json.loads(commits[day].get(UPSTREAM_NOTE) or "{}") for day in at if day in commits}
        return cls(table, rows, at, upstream, now)

    @property
    def upstream_note(self) -> str:
        """The present versions, for the note of the commit that is made from them."""
        return json.dumps(self.now, sort_keys=True)

    def moved(self, day: date, rows: pl.DataFrame) -> pl.DataFrame:
        """What differs between the given rows of a day and the new ones: key columns, before, after."""
        if day not in self.at:
            return moved(rows.clear(), rows.clear(), self.table)
        return moved(self.rows.filter(pl.col(self.table.day_column) == day), rows, self.table)


def moved(before: pl.DataFrame, after: pl.DataFrame, table: Table = ATTRIBUTION_METRICS) -> pl.DataFrame:
    """Numbers of one day that differ between two sets of a table's rows; a number that is absent is 0.

    Of COPY_DAILY, amounts of revenue are told from counts: value_before and value_after, and before and after.
    """
    key, numbers = (_COHORT_KEY, _cohort_numbers) if table is COPY_DAILY else (_KEY, _numbers)
    both = numbers(before).join(numbers(after), on=key, how="full", coalesce=True, nulls_equal=True, suffix="_after")
    old, new = (pl.col(name).fill_null(0) for name in ("value", "value_after"))
    is_amount = pl.col("number") == VALUE
    found = both.filter(old != new).sort(*key, nulls_last=True)
    counts = (pl.when(~is_amount).then(one).cast(pl.Int64) for one in (old, new))
    sums = (pl.when(is_amount).then(one).cast(pl.Float64) for one in (old, new))
    names = ("before", "after", "value_before", "value_after")
    shown = [one.alias(name) for one, name in zip((*counts, *sums), names, strict=True)]
    return found.select(*key, *(shown if table is COPY_DAILY else shown[:2]))


def _cohort_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """What COPY_DAILY says of the templates, each number once: every metric repeats the messages."""
    known = rows.filter(pl.col("template").is_not_null())
    text, hours = pl.lit(None, pl.String), pl.lit(None, pl.Int32)
    messages = known.unique(["template", "arm", "copy_id"]).with_columns(
        text.alias("metric"), hours.alias("window_hours")
    )
    parts = ((messages, MESSAGES), (known.filter(pl.col(SUCCESSES) > 0), SUCCESSES), (known, VALUE))
    # An amount of 0 is one that is absent. Counts are far below 2⁵³, up to which a float is exact.
    return pl.concat(
        part.with_columns(pl.lit(name).alias("number"), pl.col(name).cast(pl.Float64).alias("value"))
        .filter(pl.col("value") > 0)
        .select(*_COHORT_KEY, "value")
        for part, name in parts
    )


def _numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """What the rows say, each number once: they repeat events per window, and split custom events by it."""
    widest = rows.filter(pl.col("window_hours") == pl.col("window_hours").max())
    named = pl.col("template_id").is_not_null() | pl.col("campaign_id").is_not_null()
    own = (
        widest.filter(named)
        .with_columns((pl.col("events") - pl.col(CONVERSIONS)).alias("value"))
        .filter(pl.col("value") > 0)
    )
    # Under no template: every custom event of the name, whichever message got it, and engagement without ids.
    nameless = widest.group_by("event_name").agg(
        (pl.col("events").filter(~named).sum() + pl.col(CONVERSIONS).filter(named).sum()).alias("value")
    )
    conversions = rows.filter(named, pl.col(CONVERSIONS) > 0).with_columns(
        pl.lit(CONVERSIONS).alias("number"), pl.col(CONVERSIONS).alias("value")
    )
    text, hours = pl.lit(None, pl.String), pl.lit(None, pl.Int32)
    columns = (*_KEY, "value")
    return pl.concat(
        [
            own.with_columns(pl.lit(EVENTS).alias("number"), hours.alias("window_hours")).select(columns),
            nameless.filter(pl.col("value") > 0)
            .with_columns(
                text.alias("template_id"),
                text.alias("campaign_id"),
                pl.lit(EVENTS).alias("number"),
                hours.alias("window_hours"),
            )
            .select(columns),
            conversions.select(columns),
        ]
    )


def record(
    org: Org, lake: Lake, given: Given, changes: Mapping[date, pl.DataFrame], *, now: datetime, landing: Root | None
) -> None:
    """Add the changes of days to restatements, with what caused them.

    Recorded twice from the same given numbers (a run that failed and was tried again), the later record replaces the
    earlier one.
    """
    days = Days(min(changes), max(changes))
    table = COHORT_RESTATEMENTS if given.table is COPY_DAILY else RESTATEMENTS
    earlier = lake.scan(org.slug, table, days).collect()
    with lake.replacing(org.slug, table, days) as writer:
        for day in days:
            kept = earlier.filter(pl.col(table.day_column) == day)
            if day not in changes:
                if kept.height:
                    writer.write(day, kept)
                continue
            kept = kept.filter(pl.col("given_at") != given.at[day])
            files = changed_files(org, lake, given, day, landing=landing, numbers=set(changes[day]["number"]))
            rows = changes[day].with_columns(
                pl.lit(day, pl.Date).alias(table.day_column),
                pl.lit(now.astimezone(UTC)).alias("restated_at"),
                pl.lit(given.at[day]).alias("given_at"),
                pl.lit(_causes(org, given, day), pl.String).alias("upstream"),
                pl.lit(None if files is None else "\n".join(files[:_MAX_FILES]), pl.String).alias("files"),
            )
            rows = rows.select(pl.col(name).cast(dtype) for name, dtype in table.schema.items())
            writer.write(day, pl.concat([kept, rows]))


def changed_files(
    org: Org, lake: Lake, given: Given, day: date, *, landing: Root | None, numbers: set[str]
) -> tuple[str, ...] | None:
    """The landing objects whose rows differ between what the numbers came from and what they come from now.

    Args:
        org: the org.
        lake: the lake.
        given: the numbers as they were.
        day: the day that moved.
        landing: used for a unified stream, whose rows do not name their file: objects of the day that were written
            after the old numbers; one that is gone cannot be named.
        numbers: what moved; conversions depend on the sends of the three days before, and a cohort on all that
            followed it as well.

    Returns:
        Keys below the landing root, sorted; None when the old state is not known any more.
    """
    reach = timedelta(days=LOOKBACK_DAYS)
    is_cohort = given.table is COPY_DAILY
    first = day - reach if is_cohort or CONVERSIONS in numbers else day
    last = day + reach if is_cohort else day
    old = given.upstream.get(day, {})
    files: set[str] = set()
    if landing is not None and old.get(SERVED_COPIES.name) != given.now.get(SERVED_COPIES.name):
        # Generate is called before the send, on its day or the day before; its records do not name their object.
        (served,) = landed_in(org, SERVED_COPIES)
        files |= _written_since(landing, served, org.slug, Days(day - timedelta(days=1), day), given.at[day])
    if org.is_unified:
        if landing is None or not lands(org.engagement):
            return None
        files |= _written_since(landing, org.engagement, org.slug, Days(first, last), given.at[day])
        return tuple(sorted(files))
    for table, days in ((ESP_EVENTS, Days(first, last)), (CUSTOM_EVENTS, Days(day, last))):
        if table.name not in given.now or old.get(table.name) == given.now[table.name]:
            continue
        if table.name not in old:
            return None
        try:
            before = _by_file(lake, org, table, days, old[table.name])
        except (DeltaError, StorageError, FileNotFoundError, pl.exceptions.ComputeError):
            return None  # the old version was vacuumed: what it held is not known any more
        after = _by_file(lake, org, table, days, given.now[table.name])
        both = before.join(after, on="source_file", how="full", coalesce=True, nulls_equal=True, suffix="_after")
        same = pl.col("rows").eq_missing(pl.col("rows_after")) & pl.col("mark").eq_missing(pl.col("mark_after"))
        files |= set(both.filter(~same)["source_file"].drop_nulls())
    return tuple(sorted(files))


def _written_since(landing: Root, source: str, slug: str, days: Days, since: datetime) -> set[str]:
    return {one.key for day in days for one in list_day(landing, source, slug, day).data if one.modified > since}


def _by_file(lake: Lake, org: Org, table: Table, days: Days, version: int) -> pl.DataFrame:
    found = declared(org, table)
    told = [name for name in _TOLD_BY if name in found.schema]
    rows = lake.scan(org.slug, found, days, version=version).select("source_file", *told)
    mark = pl.struct(told).hash(seed=7).sum().alias("mark")
    return rows.group_by("source_file").agg(pl.len().alias("rows"), mark).collect(engine="streaming")


def _commits(history: Iterable[dict[str, Any]], days: Days) -> dict[date, dict[str, Any]]:
    """Day → the newest commit that gave its numbers."""
    wanted, found = set(days), dict[date, dict[str, Any]]()
    for commit in history:  # newest first
        first, _, last = str(commit.get("days") or "").partition(" … ")
        if not first or not wanted:
            continue
        covered = Days.parse(first, last or first)
        for day in [day for day in wanted if day in covered]:
            found[day] = commit
            wanted.discard(day)
    return found


def _causes(org: Org, given: Given, day: date) -> str | None:
    """What changed of what a day's numbers depend on: versions of tables, and the rule they are counted by."""
    old = given.upstream.get(day, {})
    changed = [f"{name} {old[name]} → {now}" for name, now in given.now.items() if name in old and old[name] != now]
    if given.table is COPY_DAILY:
        rules = given.rows.filter(pl.col(given.table.day_column) == day)["rule"].unique().to_list()
        changed += [f"rule {rule} → {now}" for rule in rules if rule != (now := counting_rule(org))]
    return ", ".join(changed) or None
