"""attribution_metrics: what happened on a day, by template, campaign, event and attribution window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import CLICKS, OPENS, SENDS, UNSUBSCRIBES, WINDOWS_HOURS
from justai_assets.contract.tables import ATTRIBUTION_METRICS
from justai_assets.events.event_stream import CUSTOM, read_events
from justai_assets.experiments.restated_days import replace_days
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Attribution, Org
from justai_assets.storage import Root

_ARM = ("template_id", "campaign_id")


def windows_of(attribution: Attribution) -> tuple[int, ...]:
    """24, 48 and 72 h, and the org's own windows where they differ, ascending."""
    return tuple(sorted({*WINDOWS_HOURS, attribution.window_hours, *attribution.windows.values()}))


def day_metrics(
    engagement: pl.LazyFrame, custom: pl.LazyFrame, day: date, windows: Iterable[int], send_events: Iterable[str] = ()
) -> pl.DataFrame:
    """The rows of one day.

    Args:
        engagement: event_name, message_id, template_id, campaign_id, is_machine (null: unknown) of the day.
        custom: event_name, event_timestamp, send_timestamp (null: none), message_id, template_id, campaign_id of
            the day; one row a custom event.
        day: the event_date.
        windows: hours.
        send_events: names that count as sends besides the known ones.

    Engagement events stand once per window, with the same numbers. A custom event is counted under its send's ids in
    every window that holds the send (not later than the event), and under null ids in the others: for each window,
    the events of a name add up to all events of that name. A name that is a send is nothing else.
    """
    names = pl.col("event_name")
    sends = frozenset(SENDS) | frozenset(send_events)
    counted = engagement.group_by(*_ARM, "event_name").agg(
        pl.len().cast(pl.Int64).alias("events"),
        pl.col("message_id").drop_nulls().n_unique().cast(pl.Int64).alias("messages"),
        pl.col("is_machine").sum().cast(pl.Int64).alias("_machine"),
        pl.col("is_machine").is_not_null().any().alias("_knows_machine"),
    )
    by_name = counted.collect(engine="streaming")
    totals = by_name.group_by(_ARM).agg(
        pl.col("events").filter(names.is_in(list(sends))).sum().alias("sends"),
        pl.col("events").filter(names.is_in(list(OPENS - sends))).sum().alias("opens"),
        pl.when(pl.col("_knows_machine").any())
        .then(pl.col("_machine").filter(names.is_in(list(OPENS - sends))).sum())
        .alias("machine_opens"),
        pl.col("events").filter(names.is_in(list(CLICKS - sends))).sum().alias("clicks"),
        pl.col("events").filter(names.is_in(list(UNSUBSCRIBES - sends))).sum().alias("unsubscribes"),
    )
    frames = []
    for hours in windows:
        age = pl.col("event_timestamp") - pl.col("send_timestamp")
        # A conversion that names a message sent only later was not caused by it.
        inside = ((age >= pl.duration()) & (age < pl.duration(hours=hours))).fill_null(value=False)
        conversions = (
            custom.with_columns(inside.alias("_inside"))
            .with_columns(pl.when("_inside").then(pl.col(name)).alias(name) for name in (*_ARM, "message_id"))
            .group_by(*_ARM, "event_name")
            .agg(
                pl.len().cast(pl.Int64).alias("events"),
                pl.col("message_id").drop_nulls().n_unique().cast(pl.Int64).alias("messages"),
                pl.col("_inside").sum().cast(pl.Int64).alias("attributed_conversions"),
            )
            .collect(engine="streaming")
        )
        seen = by_name.select(
            *_ARM, "event_name", "events", "messages", pl.lit(0, pl.Int64).alias("attributed_conversions")
        )
        both = pl.concat([seen, conversions]).group_by(*_ARM, "event_name").sum()
        frames.append(both.with_columns(pl.lit(hours, pl.Int32).alias("window_hours")))
    rows = pl.concat(frames).join(totals, on=_ARM, how="left", nulls_equal=True)
    zeros = [pl.col(name).fill_null(0) for name in ("sends", "opens", "clicks", "unsubscribes")]
    rows = rows.with_columns(pl.lit(day, pl.Date).alias("event_date"), *zeros)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in ATTRIBUTION_METRICS.schema.items()).sort(
        *_ARM, "event_name", "window_hours", nulls_last=True
    )


def build_metrics(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
    now: datetime | None = None,
    landing: Root | None = None,
) -> list[DayReport]:
    """Replace days of attribution_metrics, and record in restatements what moved; arguments as in `replace_days`.

    For a unified stream the sender did the attribution: a conversion's age is measured from the send of the message
    it names, looked for on its day and the three before; one whose send is not there counts in no window.
    """
    windows, send_events = windows_of(org.attribution), org.attribution.send_events

    def count(day: date) -> pl.DataFrame:
        events = read_events(org, lake, Days(day, day))
        is_custom = pl.col("event_class") == CUSTOM
        return day_metrics(events.filter(~is_custom), events.filter(is_custom), day, windows, send_events)

    return replace_days(
        org, lake, ATTRIBUTION_METRICS, days, count, what="day", note=note, on_day=on_day, now=now, landing=landing
    )
