"""The unified stream of a day: engagement passed through, custom events that a message caused, no person."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import UNIFIED_EVENTS, Table


def unify_day(
    engagement_day: pl.LazyFrame, attributed_day: pl.LazyFrame, table: Table = UNIFIED_EVENTS
) -> pl.LazyFrame:
    """The UNIFIED_EVENTS rows of a day, lazy and streaming, in no promised order.

    Args:
        engagement_day: ESP_EVENTS rows of the day; every one passes through.
        attributed_day: ATTRIBUTED_EVENTS rows of the day; those with `is_attributed` pass, under their send's ids.
        table: UNIFIED_EVENTS, with declared columns if the org has any; of engagement these are null.

    Only the contract's six columns and the declared ones are read, so nothing else can leak, whatever columns the
    inputs carry.
    """
    columns = [pl.col(name).cast(dtype) for name, dtype in table.schema.items()]
    extra = [
        pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items() if name not in UNIFIED_EVENTS.schema
    ]
    return pl.concat(
        [
            engagement_day.with_columns(extra).select(columns),
            attributed_day.filter(pl.col("is_attributed")).select(columns),
        ],
        how="vertical",
    )
