"""`read_events`: an org's events in one form, whether we join its custom events to messages or the org has joined them.

This is the only module that knows how an org's stream comes about. Everything downstream reads this frame,
`message_outcomes` or `copy_daily`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import (
    ENGAGEMENT,
    LOOKBACK_DAYS,
    REACTIONS,
    SENDS,
)
from justai_assets.contract.reasons import NO_SEND, OUTSIDE_WINDOW
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, UNIFIED_EVENTS, UTC_TIMESTAMP
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import VALUE, declared, has_value
from justai_assets.orgs.org_model import Org

SEND, OTHER, CUSTOM = "send", "other", "custom"
"""Classes of events. The others are the names of REACTIONS."""

EVENT_STREAM: Final = pl.Schema(
    {
        **UNIFIED_EVENTS.schema,
        "event_class": pl.String(),
        "is_machine": pl.Boolean(),
        "email_key": pl.String(),
        "user_key": pl.String(),
        "send_timestamp": UTC_TIMESTAMP,
        "is_attributed": pl.Boolean(),
        "reason": pl.String(),
        "window_hours": pl.Int32(),
        "value": pl.Float64(),
        "source": pl.String(),
    }
)
"""event_class: send, open, click, unsubscribe, bounce, other (engagement), or custom. is_machine: an open or click by a
mail proxy or bot; null where the source does not tell. email_key, user_key: pseudonyms of the person; null where the
stream has none. send_timestamp: of the message that a custom event belongs to, if less than 72 h before it.
is_attributed, reason, window_hours: of custom events; null for the others. value: what a custom event was worth; null
where the org
declares no `value` or the event carries none, and for the others. source: where the record came from."""


def read_events(org: Org, lake: Lake, days: Days) -> pl.LazyFrame:
    """Read an org's events of some days, lazily; columns and types are EVENT_STREAM's for every org.

    Each engagement event and each custom event stands once, in no promised order. In a stream that the org joined
    itself, the send of a custom event is the first send of its message on its day or the three days before; the org's
    own window decides whether it is attributed, exactly as where we join.

    Args:
        org: the org.
        lake: the lake.
        days: event_dates, inclusive, UTC.
    """
    rows = _joined_by_org(org, lake, days) if org.is_unified else _joined_by_us(org, lake, days)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in EVENT_STREAM.items())


def _joined_by_us(org: Org, lake: Lake, days: Days) -> pl.LazyFrame:
    engagement = lake.scan(org.slug, ESP_EVENTS, days).with_columns(
        engagement_class(org).alias("event_class"), pl.col("door").alias("source"), *_no_attribution()
    )
    custom = lake.scan(org.slug, declared(org, ATTRIBUTED_EVENTS), days).with_columns(
        _value(org),
        pl.lit(CUSTOM).alias("event_class"),
        pl.lit(None, pl.Boolean).alias("is_machine"),
        pl.col("door").alias("source"),
    )
    names = EVENT_STREAM.names()
    return pl.concat([engagement.select(names), custom.select(names)])


def _joined_by_org(org: Org, lake: Lake, days: Days) -> pl.LazyFrame:
    is_engagement = pl.col("event_name").is_in([*ENGAGEMENT, *org.attribution.send_events])
    rows = lake.scan(org.slug, declared(org, UNIFIED_EVENTS), days).with_columns(
        _value(org),
        pl.lit(None, pl.Boolean).alias("is_machine"),
        *(pl.lit(None, pl.String).alias(name) for name in ("email_key", "user_key")),
        pl.lit(org.engagement).alias("source"),
    )
    engagement = rows.filter(is_engagement).with_columns(engagement_class(org).alias("event_class"), *_no_attribution())
    sends = (
        lake.scan(org.slug, UNIFIED_EVENTS, Days(days.first - timedelta(days=LOOKBACK_DAYS), days.last))
        .filter(pl.col("event_name").is_in(send_names(org)), pl.col("message_id").is_not_null())
        .select("message_id", pl.col("event_timestamp").alias("sent"))
        .group_by("message_id")
        .agg(pl.col("sent").min())
    )
    age = pl.col("event_timestamp") - pl.col("sent")
    hours = _window_hours(org)
    is_known = (age >= pl.duration()) & (age < pl.duration(hours=24 * LOOKBACK_DAYS))
    custom = (
        rows.filter(~is_engagement)
        .join(sends, on="message_id", how="left")
        .with_columns(
            pl.lit(CUSTOM).alias("event_class"),
            hours.alias("window_hours"),
            pl.when(is_known).then("sent").alias("send_timestamp"),
        )
        .with_columns(
            ((pl.col("event_timestamp") - pl.col("send_timestamp")) < pl.duration(hours=pl.col("window_hours")))
            .fill_null(value=False)
            .alias("is_attributed")
        )
        .with_columns(
            pl.when(~pl.col("is_attributed"))
            .then(pl.when(pl.col("send_timestamp").is_null()).then(pl.lit(NO_SEND)).otherwise(pl.lit(OUTSIDE_WINDOW)))
            .alias("reason")
        )
    )
    names = EVENT_STREAM.names()
    return pl.concat([engagement.select(names), custom.select(names)])


def send_names(org: Org) -> list[str]:
    """The event names that count as a send for an org."""
    return sorted(SENDS | set(org.attribution.send_events))


def engagement_class(org: Org) -> pl.Expr:
    """The event_class of an engagement event, by its event_name."""
    name = pl.col("event_name")
    # The org's own send events come first: an org may name an event that is something else elsewhere.
    kinds = [(kind, sorted(one.events)) for kind, one in REACTIONS.items()]
    found = [pl.when(name.is_in(names)).then(pl.lit(kind)) for kind, names in [(SEND, send_names(org)), *kinds]]
    return pl.coalesce(*found, pl.lit(OTHER))


def _window_hours(org: Org) -> pl.Expr:
    name, own = pl.col("event_name"), org.attribution.windows
    return name.replace_strict(
        list(own), list(own.values()), default=org.attribution.window_hours, return_dtype=pl.Int32
    )


def _value(org: Org) -> pl.Expr:
    return (pl.col(VALUE) if has_value(org) else pl.lit(None, pl.Float64)).alias("value")


def _no_attribution() -> list[pl.Expr]:
    names = ("send_timestamp", "is_attributed", "reason", "window_hours", "value")
    return [pl.lit(None, EVENT_STREAM[name]).alias(name) for name in names]
