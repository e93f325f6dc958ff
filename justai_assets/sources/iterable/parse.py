"""Iterable system webhooks: one engagement event a call. Format and traps: Iterable's system webhook reference."""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.landing.envelopes import LINE_NUMBER
from justai_assets.orgs.org_model import Org
from justai_assets.sources.iterable.spec import ITERABLE
from justai_assets.sources.pseudonym_keys import EMAIL, USER_ID, first_given
from justai_assets.sources.row_reason import when
from justai_assets.sources.time_parsing import utc
from justai_assets.sources.webhook_rows import (
    REJECTED,
    canonical,
    finished,
    has_no_body,
    present,
    refused_at_the_door,
)

_TEXT = (
    "createdAt", "messageId", "templateId", "campaignId", "email", "userId", "proxySource", "isBot", "ip",
    "phoneNumber", "toPhoneNumber", "fromPhoneNumber", "toWhatsAppPhoneNumber",
)  # fmt: skip

BODY = pl.Struct(
    {
        **REJECTED,
        "email": pl.String(),
        "userId": pl.String(),
        "eventName": pl.String(),
        "dataFields": pl.Struct(dict.fromkeys(_TEXT, pl.String())),
    }
)
"""The fields that are read; numbers come as their JSON digits, never through a float."""

_PERSONAL = ("ip", "phoneNumber", "toPhoneNumber", "fromPhoneNumber", "toWhatsAppPhoneNumber")


def typed(envelopes: pl.LazyFrame, org: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of esp_events, each with its `reason` (null: accepted).

    Args:
        envelopes: as `read_envelopes` gives them, with BODY.
        org: gives the salt.
        day: the folder's day; None for the folder of undated records.

    The body wins over the query string, where an undefined merge tag renders blank. A null, an absent and a blank
    field are the same. An open through a mail proxy, or any event of a bot, is flagged, not dropped.
    """
    body = pl.col("body").struct
    fields = body.field("dataFields").struct
    raw_name = present(body.field("eventName"))
    rows = envelopes.select(
        pl.col("id").alias("event_id"),
        canonical(raw_name).alias("event_name"),
        raw_name.alias("raw_event_name"),
        utc(fields.field("createdAt")).alias("event_timestamp"),
        utc(pl.col("received_at")).alias("received_at"),
        present(fields.field("messageId")).alias("message_id"),
        present(fields.field("templateId")).alias("template_id"),
        pl.coalesce(present(fields.field("campaignId")), present(pl.col("query").struct.field("campaignId"))).alias(
            "campaign_id"
        ),
        first_given(body.field("email"), fields.field("email")).alias(EMAIL),
        first_given(body.field("userId"), fields.field("userId")).alias(USER_ID),
        (present(fields.field("proxySource")).is_not_null() | (fields.field("isBot") == "true"))
        .fill_null(value=False)
        .alias("is_machine"),
        # Only events without a credential carry the mark.
        pl.col("authenticated").ne_missing("false").alias("is_authenticated"),
        *(fields.field(name) for name in _PERSONAL),
        pl.col("source_file", LINE_NUMBER),
        has_no_body(),
        refused_at_the_door(day),
    )
    return finished(
        rows,
        door=ITERABLE.name,
        day=day,
        salt=org.secret(org.pseudonym_salt),
        reasons=[when(pl.col("event_name").is_null(), "missing_event_name")],
        published=("event_name", "raw_event_name", "message_id", "template_id", "campaign_id"),
        personal=_PERSONAL,
    )
