"""Rows of the unified stream, from a share or a drop, each with the reason to reject it, or none.

Ordinary rows cost a third of what `typed_unified` takes for them: it trims, looks for personal data and measures
every name and id of every row. Nearly all of them are plain words of letters, digits, hyphens and underscores, on which
none of that can find anything; one regular expression tells. A batch of rows in which all are plain takes the short
way; any other takes the full one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Final

import polars as pl

from justai_assets.contract.events import CANONICAL_NAMES
from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.landing.parquet import NOT_TEXT, UNDECODABLE
from justai_assets.orgs.extra_columns import Kind, dtype_of
from justai_assets.sources.extra_values import judged_extra
from justai_assets.sources.identifier_privacy import MAX_IDENTIFIER_BYTES, refusal
from justai_assets.sources.row_reason import first_reason, time_reason, when
from justai_assets.sources.webhook_rows import canonical, present

_TEXT = ("event_name", "message_id", "template_id", "campaign_id")

UNIFIED_KINDS: Final = {"event_timestamp": "time", **dict.fromkeys(_TEXT, "text")}
"""The columns of the unified stream, and how each is read. event_date is never read: the folder and the time decide."""

DECODABLE: Final = when(pl.col(UNDECODABLE), NOT_TEXT)
"""Why a row whose text is not UTF-8 is rejected."""

# Not one of these characters takes part in an email, an address, a phone number, JSON or white space.
_PLAIN = rf"^[0-9A-Za-z_-]{{1,{MAX_IDENTIFIER_BYTES}}}$"

_SCHEMA = pl.Schema(
    {
        "source_row": pl.Int64(),
        "event_timestamp": UTC_TIMESTAMP,
        **dict.fromkeys(_TEXT, pl.String()),
        "source_file": pl.String(),
        "reason": pl.String(),
        "event_date": pl.Date(),
    }
)


def judged(rows: pl.LazyFrame, day: date | None, extra: Mapping[str, Kind] | None = None) -> pl.LazyFrame:
    """Rows of one day with event_date and `reason` (null: accepted), exactly as `typed_unified` gives them.

    Args:
        rows: the contract's columns but event_date, source_row, UNDECODABLE and source_file; and the declared ones.
        day: the event_date; None rejects every row.
        extra: the declared columns, name → kind; they are judged by `judged_extra`.
    """
    extra = extra or {}
    schema = pl.Schema({**_SCHEMA, **{name: dtype_of(kind) for name, kind in extra.items()}})
    names = [name for name in schema if name not in {"reason", "event_date"}]
    found = rows.select(*names, UNDECODABLE).map_batches(
        partial(_judge, day=day, order=list(schema)), streamable=True, schema=schema
    )
    return judged_extra(found, extra)


def _judge(batch: pl.DataFrame, day: date | None, order: list[str]) -> pl.DataFrame:
    plain = pl.all_horizontal(pl.col(name).str.contains(_PLAIN).all() for name in _TEXT)
    # A name without a letter may be somebody's phone number: that is for the full way to say.
    named = pl.col("event_name").str.contains("[A-Za-z]").all()
    if not batch.select(plain & named & ~pl.col(UNDECODABLE).any()).item():
        return typed_unified(batch.lazy(), day).select(order).collect()
    typed = batch.with_columns(
        pl.col("event_name").replace(CANONICAL_NAMES),
        first_reason(when(pl.col("event_name").is_null(), "missing_event_name"), time_reason(day)),
        pl.lit(day, pl.Date).alias("event_date"),
    )
    return typed.select(order)


def typed_unified(rows: pl.LazyFrame, day: date | None) -> pl.LazyFrame:
    """Rows of the unified stream, validated, each with its `reason` (null: accepted). Ids and names keep their case.

    Declared columns pass as they are: see `judged_extra`.

    Args:
        rows: UNIFIED_KINDS, source_row, UNDECODABLE and source_file.
        day: the folder's day; None for the default partition.
    """
    return (
        rows.with_columns(
            canonical(present(pl.col("event_name"))).alias("event_name"),
            *(present(pl.col(name)).alias(name) for name in _TEXT[1:]),
        )
        .with_columns(
            first_reason(
                DECODABLE,
                when(pl.col("event_name").is_null(), "missing_event_name"),
                refusal(_TEXT, ()),
                time_reason(day),
            ),
            pl.lit(day, pl.Date).alias("event_date"),
        )
        .drop(UNDECODABLE)
    )
