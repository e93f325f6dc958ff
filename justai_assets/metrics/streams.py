"""Engagement and conversions of an org in one form, whether its door brings people's keys or a unified stream."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import ENGAGEMENT
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import Org


def engagement_of(org: Org, lake: Lake, days: Days) -> pl.LazyFrame:
    """ESP_EVENTS of the days.

    A unified stream has no key, no machine flag and no identity: keys are null, `is_machine` is false, and `event_id`
    is made of the ids and the row's place, which tells rows apart within this frame and nowhere else.
    """
    if not org.is_unified:
        return lake.scan(org.slug, ESP_EVENTS, days)
    ids = ("message_id", "template_id", "campaign_id")
    rows = lake.scan(org.slug, UNIFIED_EVENTS, days).filter(_is_engagement(org)).with_row_index("row")
    made = {
        "event_id": pl.concat_str(*ids, pl.col("row").cast(pl.String).str.zfill(12), separator=" ", ignore_nulls=True),
        "raw_event_name": pl.col("event_name"),
        "is_machine": pl.lit(value=False),
        "door": pl.lit(org.engagement),
        **{name: pl.col(name) for name in UNIFIED_EVENTS.schema},
    }
    return rows.select(
        made.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in ESP_EVENTS.schema.items()
    )


def conversions_of(org: Org, lake: Lake, days: Days) -> pl.LazyFrame:
    """event_name, event_timestamp and message_id of the days' custom events; in a unified stream, every other name."""
    columns = ("event_name", "event_timestamp", "message_id")
    if org.is_unified:
        return lake.scan(org.slug, UNIFIED_EVENTS, days).filter(~_is_engagement(org)).select(columns)
    return lake.scan(org.slug, ATTRIBUTED_EVENTS, days).select(columns)


def _is_engagement(org: Org) -> pl.Expr:
    return pl.col("event_name").is_in([*ENGAGEMENT, *org.attribution.send_events])
