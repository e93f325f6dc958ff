"""What followed a message: a yes or no for every metric and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from justai_assets.contract.events import CLICKS, MAX_WINDOW_HOURS, OPENS, UNSUBSCRIBES, WINDOWS_HOURS
from justai_assets.metrics.experiments.metric import CLICK, ENGAGEMENT_METRICS, OPEN, UNSUBSCRIBE, conversion
from justai_assets.orgs.model import Attribution

MACHINE_OPEN: Final = "machine_open"
"""Opened by a machine, whoever else opened it."""
ANY_CONVERSION: Final = "any_conversion"
"""At least one of the counted events, each within the org's own window for it."""


def outcomes(
    messages: pl.LazyFrame,
    engagement: pl.LazyFrame,
    conversions: pl.LazyFrame,
    names: Sequence[str],
    attribution: Attribution,
) -> pl.LazyFrame:
    """One row a message that anything followed: a boolean column for each flag of `metric_names`, and the two above.

    Args:
        messages: message_id and sent_at; a message may stand in several rows, its first time counts.
        engagement: event_name, event_timestamp, message_id, is_machine.
        conversions: event_name, event_timestamp, message_id.
        names: custom events to count.
        attribution: the org's windows.

    A flag may be null in the answer: nothing of its kind followed.
    """
    sent = messages.group_by("message_id").agg(pl.col("sent_at").min())
    wanted = OPENS | CLICKS | UNSUBSCRIBES
    columns = ("message_id", "event_name", "event_timestamp", "is_machine")
    engaged = engagement.filter(pl.col("event_name").is_in(wanted)).select(columns)
    converted = conversions.filter(pl.col("event_name").is_in(names), pl.col("message_id").is_not_null())
    converted = converted.with_columns(pl.lit(value=False).alias("is_machine")).select(columns)
    after = pl.col("event_timestamp") - pl.col("sent_at")
    name, human = pl.col("event_name"), ~pl.col("is_machine")

    def within(hours: int) -> pl.Expr:
        return after < pl.duration(hours=hours)

    flags = {
        OPEN: name.is_in(OPENS) & human,
        CLICK: name.is_in(CLICKS) & human,
        UNSUBSCRIBE: name.is_in(UNSUBSCRIBES),
        MACHINE_OPEN: name.is_in(OPENS) & ~human,
    }
    # A custom event may bear the name of an engagement event; each frame is asked for its own.
    engaged = (
        _joined(engaged, sent, after)
        .group_by("message_id")
        .agg([(flag & within(MAX_WINDOW_HOURS)).any().alias(label) for label, flag in flags.items()])
    )
    custom = {
        _column(event, hours): (name == event) & within(hours)
        for event in names
        for hours in _windows(event, attribution)
    }
    own = [(name == event) & within(attribution.window_for(event)) for event in names]
    custom[ANY_CONVERSION] = pl.any_horizontal(own) if own else pl.lit(value=False)
    converted = (
        _joined(converted, sent, after)
        .group_by("message_id")
        .agg([flag.any().alias(label) for label, flag in custom.items()])
    )
    return engaged.join(converted, on="message_id", how="full", coalesce=True)


def _joined(events: pl.LazyFrame, sent: pl.LazyFrame, after: pl.Expr) -> pl.LazyFrame:
    return events.join(sent, on="message_id").filter(after >= pl.duration(hours=0))


def _windows(event: str, attribution: Attribution) -> list[int]:
    return sorted({*WINDOWS_HOURS, attribution.window_for(event)})


def _column(event: str, hours: int) -> str:
    return f"{hours} {conversion(event)}"


def metric_names(names: Sequence[str], attribution: Attribution) -> pl.DataFrame:
    """Flag column → metric, window, and whether it is the org's own."""
    rows = [(metric, metric, MAX_WINDOW_HOURS, True) for metric in ENGAGEMENT_METRICS]
    rows += [
        (_column(event, hours), conversion(event), hours, hours == attribution.window_for(event))
        for event in names
        for hours in _windows(event, attribution)
    ]
    schema = {"flag": pl.String(), "metric": pl.String(), "window_hours": pl.Int32(), "is_own_window": pl.Boolean()}
    return pl.DataFrame(rows, schema=schema, orient="row")
