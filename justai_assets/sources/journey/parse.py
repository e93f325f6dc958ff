"""Journey webhooks: one custom event a call, with no name, time or id of its own.

The name comes from the org's workflowId map, the time from receipt. A body cannot tell a repeat from a redelivery, so
each receipt is an event; the envelope's id says which receipts are the same.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.landing.envelopes import LINE_NUMBER
from justai_assets.orgs.org_model import Org
from justai_assets.sources.journey.spec import JOURNEY, JourneyWebhooks
from justai_assets.sources.pseudonym_keys import EMAIL, USER_ID, given
from justai_assets.sources.registry import UnknownSourceError
from justai_assets.sources.row_reason import when
from justai_assets.sources.time_parsing import utc
from justai_assets.sources.webhook_rows import REJECTED, finished, has_no_body, refused_at_the_door

BODY = pl.Struct({**REJECTED, "email": pl.String(), "userId": pl.String(), "workflowId": pl.String()})


def typed(envelopes: pl.LazyFrame, org: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of custom_events, each with its `reason` (null: accepted).

    Handlebars renders a missing value as "": it is the same as an absent one. An event with neither email nor user id
    is accepted; attribution gives its reason.
    """
    settings = org.sources.settings(JOURNEY, JourneyWebhooks)
    if settings is None:
        raise UnknownSourceError(f"{org.slug} has no {JOURNEY.name}", mend=f"add sources.{JOURNEY.name}")
    events = settings.events
    body = pl.col("body").struct
    workflow = body.field("workflowId").str.strip_chars()
    rows = envelopes.select(
        pl.col("id").alias("event_id"),
        workflow.map_batches(
            # In batches: as an expression replace_strict does not stream.
            lambda ids: ids.replace_strict(events, default=None, return_dtype=pl.String),
            return_dtype=pl.String,
            is_elementwise=True,
        ).alias("event_name"),
        utc(pl.col("received_at")).alias("event_timestamp"),
        given(body.field("email")).alias(EMAIL),
        given(body.field("userId")).alias(USER_ID),
        (workflow.is_null() | (workflow == "")).alias("_has_no_workflow"),
        pl.col("source_file", LINE_NUMBER),
        has_no_body(),
        refused_at_the_door(day),
        pl.lit(None, pl.Int64).alias("source_row"),
        pl.lit(None, pl.String).alias("template_id"),
        pl.lit(None, pl.String).alias("copy_id"),
    )
    return finished(
        rows,
        door=JOURNEY.name,
        day=day,
        salt=org.secret(org.pseudonym_salt),
        reasons=[
            when(pl.col("_has_no_workflow"), "missing_workflow"),
            when(pl.col("event_name").is_null(), "unmapped_workflow"),
        ],
        published=(),
    ).drop("_has_no_workflow")
