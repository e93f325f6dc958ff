"""Warehouse drops (Redshift UNLOAD, Databricks export) in both contents: custom events, or the unified stream.

A drop has no row id, and two identical purchases are two: rows are never deduplicated, whole days are replaced.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from justai_assets.landing.parquet import NOT_TEXT, UNDECODABLE
from justai_assets.orgs.model import Org
from justai_assets.sources.identity import email_key, normal_email, normal_user_id, user_key
from justai_assets.sources.privacy import refusal
from justai_assets.sources.rows import EMAIL, USER_ID, canonical, present
from justai_assets.sources.verdict import first_reason, time_reason, when

KINDS: Final = {
    "custom_events": {"event_timestamp": "time", "event_name": "text", "user_id_or_email": "text"},
    "unified_events": {
        "event_timestamp": "time",
        "event_name": "text",
        "message_id": "text",
        "template_id": "text",
        "campaign_id": "text",
    },
}
"""Content → its columns. event_date is known but never read: the folder and the time decide."""

_DECODABLE: Final = when(pl.col(UNDECODABLE), NOT_TEXT)

OPTIONAL: Final = ("event_date",)


def typed_custom(rows: pl.LazyFrame, org: Org, day: date | None, door: str) -> pl.LazyFrame:
    """Rows of a custom-events drop as custom_events, each with its `reason` (null: accepted).

    Args:
        rows: KINDS["custom_events"], source_row, UNDECODABLE and source_file.
        org: gives the salt.
        day: the folder's day; None for the default partition.
        door: `redshift` or `databricks`.

    A value of user_id_or_email with an @ is an email, anything else a user id.
    """
    salt = org.secret(org.pseudonym_salt)
    identity = pl.col("user_id_or_email")
    is_email = identity.str.contains("@", literal=True)
    return (
        rows.with_columns(
            normal_email(pl.when(is_email).then(identity)).alias(EMAIL),
            normal_user_id(pl.when(~is_email).then(identity)).alias(USER_ID),
            present(pl.col("event_name")).alias("event_name"),
        )
        .with_columns(
            first_reason(
                _DECODABLE,
                when(pl.col("event_name").is_null(), "missing_event_name"),
                refusal(("event_name",), (USER_ID,)),
                time_reason(day),
            ),
            email_key(EMAIL, salt).alias("email_key"),
            user_key(USER_ID, salt).alias("user_key"),
            pl.lit(None, pl.String).alias("event_id"),
            pl.lit(None, pl.String).alias("template_id"),
            pl.lit(None, pl.String).alias("copy_id"),
            pl.lit(day, pl.Date).alias("event_date"),
            pl.lit(door).alias("door"),
        )
        .drop(EMAIL, USER_ID, "user_id_or_email", UNDECODABLE)
    )


def typed_unified(rows: pl.LazyFrame, day: date | None) -> pl.LazyFrame:
    """Rows of a unified drop, validated, each with its `reason` (null: accepted). Ids and names keep their case.

    Args:
        rows: KINDS["unified_events"], source_row, UNDECODABLE and source_file.
        day: the folder's day; None for the default partition.
    """
    text = ("event_name", "message_id", "template_id", "campaign_id")
    return (
        rows.with_columns(
            canonical(present(pl.col("event_name"))).alias("event_name"),
            *(present(pl.col(name)).alias(name) for name in text[1:]),
        )
        .with_columns(
            first_reason(
                _DECODABLE,
                when(pl.col("event_name").is_null(), "missing_event_name"),
                refusal(text, ()),
                time_reason(day),
            ),
            pl.lit(day, pl.Date).alias("event_date"),
        )
        .drop(UNDECODABLE)
    )
