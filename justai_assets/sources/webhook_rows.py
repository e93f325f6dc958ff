"""What every webhook door does with its typed rows: verdict, day, door, pseudonyms; and the raw values go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl
from pydantic import SecretStr

from justai_assets.contract.events import CANONICAL_NAMES
from justai_assets.contract.reasons import REJECTIONS
from justai_assets.sources.identifier_privacy import refusal
from justai_assets.sources.pseudonym_keys import EMAIL, USER_ID, email_key, identified, user_key
from justai_assets.sources.row_reason import REASON, first_reason, time_reason, when

HAS_NO_BODY = "_has_no_body"
REFUSED = "_refused"

REJECTED: Final = {"rejected": pl.String()}
"""The field of a body that stands in for one the collector refused (landing.envelopes_write)."""


def present(text: pl.Expr) -> pl.Expr:
    """Trimmed text; blank is null."""
    trimmed = text.str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def canonical(name: pl.Expr) -> pl.Expr:
    """Event names as the contract spells them; others stay. In batches: as an expression `replace` does not stream."""
    return name.map_batches(lambda names: names.replace(CANONICAL_NAMES), return_dtype=pl.String, is_elementwise=True)


def has_no_body() -> pl.Expr:
    """Whether the envelope came without a body."""
    return pl.col("body").is_null().alias(HAS_NO_BODY)


def refused_at_the_door(day: date | None) -> pl.Expr:
    """Why the collector refused the request that this envelope stands for; null for an event.

    It files such requests among the undated only, and only a reason we know counts: elsewhere `rejected` is a field
    like any other, with whatever text a sender wrote.
    """
    if day is not None:
        return pl.lit(None, pl.String).alias(REFUSED)
    codes = {code: code for code in REJECTIONS}
    return (
        pl.col("body")
        .struct.field("rejected")
        .map_batches(
            lambda texts: texts.replace_strict(codes, default=None, return_dtype=pl.String),
            return_dtype=pl.String,
            is_elementwise=True,
        )
        .alias(REFUSED)
    )


def finished(
    rows: pl.LazyFrame,
    *,
    door: str,
    day: date | None,
    salt: SecretStr,
    reasons: Sequence[pl.Expr],
    published: Sequence[str],
    personal: Sequence[str] = (),
) -> pl.LazyFrame:
    """Rows with reason, record_id, event_date, door and keys, without any raw personal value.

    Args:
        rows: event_id, event_timestamp, _email and _user_id as `identity.first_given` returns them, _has_no_body,
            _refused, and the columns named below.
        door: the door's name.
        day: the folder's day, or None for undated records.
        salt: the org's pseudonym salt.
        reasons: what the door itself refuses, most telling first.
        published: text columns that will be stored, looked at for personal data.
        personal: further raw columns to compare them with; they are dropped.
    """
    return (
        identified(rows)
        .with_columns(
            first_reason(
                when(pl.col(HAS_NO_BODY) | pl.col("event_id").is_null(), "bad_envelope"),
                pl.col(REFUSED),
                *reasons,
                refusal((*published, "event_id"), (USER_ID, *personal)),
                time_reason(day),
            ),
            pl.lit(day, pl.Date).alias("event_date"),
            pl.lit(door).alias("door"),
            email_key(EMAIL, salt).alias("email_key"),
            user_key(USER_ID, salt).alias("user_key"),
        )
        .with_columns(_record_id((USER_ID, *personal)))
        .drop(EMAIL, USER_ID, HAS_NO_BODY, REFUSED, *personal)
    )


def _record_id(personal: Sequence[str]) -> pl.Expr:
    """What points at a refused record; null for the accepted ones, which are nearly all."""

    def of(rows: pl.Series) -> pl.Series:
        refused = rows.struct.unnest().with_row_index("_at").filter(pl.col(REASON).is_not_null())
        # It is looked at too: a sender may have put anything into an id.
        ids = refused.select("_at", pl.when(refusal(("event_id",), personal).is_null()).then("event_id").alias("id"))
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(rows)).scatter(ids["_at"], ids["id"])

    columns = pl.struct(REASON, "event_id", *personal)
    return columns.map_batches(of, return_dtype=pl.String, is_elementwise=True).alias("record_id")
