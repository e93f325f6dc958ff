"""The verdict on a typed row: the first reason that applies, or none."""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP

REASON = "reason"


def first_reason(*reasons: pl.Expr) -> pl.Expr:
    """The first reason that is not null, as column `reason`."""
    return pl.coalesce(*reasons, pl.lit(None, pl.String)).alias(REASON)


def when(condition: pl.Expr, code: str) -> pl.Expr:
    """`code` where the condition holds (null counts as false), else null."""
    return pl.when(condition.fill_null(value=False)).then(pl.lit(code))


def time_reason(day: date | None) -> pl.Expr:
    """Why event_timestamp cannot stand in this day's folder; a folder without a day refuses every row."""
    if day is None:
        return pl.lit("undated")
    moment = pl.col("event_timestamp")
    start = pl.lit(day).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC_TIMESTAMP)
    on_day = (moment >= start) & (moment < start.dt.offset_by("1d"))
    return pl.coalesce(when(moment.is_null(), "bad_timestamp"), when(~on_day, "outside_day"))
