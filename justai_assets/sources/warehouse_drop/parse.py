"""Warehouse drops (Redshift UNLOAD, Databricks export) in both contents: custom events, or the unified stream.

A drop has no row id, and two identical purchases are two: rows are never deduplicated, whole days are replaced.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from justai_assets.landing.parquet import UNDECODABLE
from justai_assets.orgs.extra_columns import of_source
from justai_assets.orgs.org_model import Org
from justai_assets.sources.extra_values import judged_extra
from justai_assets.sources.identifier_privacy import refusal
from justai_assets.sources.pseudonym_keys import (
    EMAIL,
    PLACEHOLDER,
    USER_ID,
    email_key,
    given,
    identified,
    user_key,
)
from justai_assets.sources.row_reason import first_reason, time_reason, when
from justai_assets.sources.unified_rows import DECODABLE, UNIFIED_KINDS, judged
from justai_assets.sources.webhook_rows import present

KINDS: Final = {
    "custom_events": {"event_timestamp": "time", "event_name": "text", "user_id_or_email": "text"},
    "unified_events": UNIFIED_KINDS,
}
"""Content → its columns. event_date is known but never read: the folder and the time decide."""

IDENTITY: Final = "user_id_or_email"

OPTIONAL: Final = ("event_date",)


def typed(rows: pl.LazyFrame, org: Org, day: date | None, source: str) -> pl.LazyFrame:
    """Rows of a drop, by what the org file says that it brings, each with its `reason` (null: accepted)."""
    if org.sources.content(source) == "custom_events":
        return typed_custom(rows, org, day, source)
    return judged(rows, day, of_source(org, source))


def typed_custom(rows: pl.LazyFrame, org: Org, day: date | None, door: str) -> pl.LazyFrame:
    """Rows of a custom-events drop as custom_events, each with its `reason` (null: accepted).

    Args:
        rows: KINDS["custom_events"], the declared columns, source_row, UNDECODABLE and source_file.
        org: gives the salt.
        day: the folder's day; None for the default partition.
        door: the drop.

    A value of user_id_or_email that is an address is an email, and a user id too: some orgs have addresses as user ids.
    Anything else is a user id.
    """
    salt = org.secret(org.pseudonym_salt)
    identity = given(pl.col(IDENTITY))
    typed = (
        identified(rows.with_columns(pl.lit(None, pl.String).alias(EMAIL), identity.alias(USER_ID)))
        .with_columns(
            pl.when(pl.col(PLACEHOLDER).is_not_null()).then(pl.lit(IDENTITY)).alias(PLACEHOLDER),
            present(pl.col("event_name")).alias("event_name"),
        )
        .with_columns(
            first_reason(
                DECODABLE,
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
    )
    typed = judged_extra(typed, of_source(org, door), (USER_ID,))
    return typed.drop(EMAIL, USER_ID, IDENTITY, UNDECODABLE)
