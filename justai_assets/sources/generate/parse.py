"""Send records of the Generate API: which copy was served for which message, and nothing else of them.

A line is an envelope whose body is the record of one call (docs/landing.md). The person, the variables and the
attributes in it are never parsed into a column that is kept.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.landing.envelopes import LINE_NUMBER
from justai_assets.orgs.org_model import Org
from justai_assets.sources.identifier_privacy import refusal
from justai_assets.sources.pseudonym_keys import normal_user_id
from justai_assets.sources.row_reason import first_reason, time_reason, when
from justai_assets.sources.webhook_rows import has_no_body, present

BODY: Final = pl.Struct(
    dict.fromkeys(("event_timestamp", "user_id", "copy_id", "template_id", "tracking_id"), pl.String())
)

_GLUED: Final = r"^(.*?)\s*(?:&|%26|©|%C2%A9|\(c\))(?:amp;)?(?:copy)?_id(?:=|%3D).*$"
"""A feed URL copied from a page: `&copy_id=` was shown as `©_id=`, and so became part of the parameter before it."""

_MILLISECONDS, _MICROSECONDS = 1e11, 1e14
"""From here on a unix number is not in seconds: 1e11 seconds are the year 5138, 1e14 milliseconds as well."""


def message_of(tracking_id: pl.Expr) -> pl.Expr:
    """The message id of a tracking id: trimmed, blank is null, and without a `copy_id` parameter glued to it.

    What is glued to it never reached Generate as `copy_id`: it is not the copy that was served.
    """
    return present(pl.coalesce(tracking_id.str.extract(_GLUED, 1), tracking_id))


def typed(envelopes: pl.LazyFrame, _: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of SERVED_COPIES, each with its `reason` (null: accepted).

    A record without a tracking id or a copy ties no message to a copy. tracking_id is looked for in the body, then in
    the query of the call. event_timestamp is a unix number; seconds, milliseconds and microseconds are told apart by
    their size.
    """
    body = pl.col("body").struct
    tracking = pl.coalesce(present(body.field("tracking_id")), pl.col("query").struct.field("tracking_id"))
    rows = envelopes.select(
        pl.col("id").alias("event_id"),
        _moment(body.field("event_timestamp")).alias("event_timestamp"),
        message_of(tracking).alias("message_id"),
        present(body.field("copy_id")).alias("copy_id"),
        normal_user_id(body.field("user_id")).alias("_user_id"),
        pl.col("source_file", LINE_NUMBER),
        has_no_body().alias("_has_no_body"),
    )
    identifiers = ("event_id", "message_id", "copy_id")
    return rows.with_columns(
        first_reason(
            when(pl.col("_has_no_body") | pl.col("event_id").is_null(), "bad_envelope"),
            when(pl.col("message_id").is_null(), "missing_tracking_id"),
            when(pl.col("copy_id").is_null(), "missing_copy_id"),
            refusal(identifiers, ("_user_id",)),
            time_reason(day),
        ),
        pl.when(refusal(("event_id",), ("_user_id",)).is_null()).then(pl.col("event_id")).alias("record_id"),
        pl.col("event_timestamp").dt.date().alias("event_date"),
    ).drop("_user_id", "_has_no_body")


def _moment(text: pl.Expr) -> pl.Expr:
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    large = pl.when(number >= _MICROSECONDS).then(number / 1e6)
    seconds = large.when(number >= _MILLISECONDS).then(number / 1e3).otherwise(number)
    # Years beyond the calendar overflow the microseconds: such a number is no time.
    sound = seconds.is_between(0, 253_402_300_799)
    return pl.when(sound).then((seconds * 1e6).round().cast(pl.Int64, strict=False)).cast(UTC_TIMESTAMP)
