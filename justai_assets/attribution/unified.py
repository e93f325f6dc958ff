"""The unified stream of a day: engagement passed through, custom events that a message caused, no person."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import UNIFIED_EVENTS


def unify_day(engagement_day: pl.LazyFrame, attributed_day: pl.LazyFrame) -> pl.LazyFrame:
    """The UNIFIED_EVENTS rows of a day, lazy and streaming, in no promised order.

    Args:
        engagement_day: ESP_EVENTS rows of the day; every one passes through.
        attributed_day: ATTRIBUTED_EVENTS rows of the day; those with `is_attributed` pass, under their send's ids.

    Only the contract's six columns are read, so nothing else can leak whatever columns the inputs carry.
    """
    columns = [pl.col(name).cast(dtype) for name, dtype in UNIFIED_EVENTS.schema.items()]
    return pl.concat(
        [engagement_day.select(columns), attributed_day.filter(pl.col("is_attributed")).select(columns)],
        how="vertical",
    )
