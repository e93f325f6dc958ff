"""A lake with days of a few rows, written as the platform writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES, Table
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.lake.store import Lake

SLUG = "acme"
DAY = date(2026, 1, 31)
ONE = Days(DAY, DAY)


def rows(table: Table, day: date, count: int, **values: Any) -> pl.DataFrame:
    """Rows that meet the contract, times a second apart; a value may be one for all or one a row."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    filled: dict[str, Any] = {
        "event_id": [f"{day}-{index}" for index in range(count)],
        "event_timestamp": [noon + timedelta(seconds=index) for index in range(count)],
        "event_date": day,
        "message_id": [f"m{index}" for index in range(count)],
        "source_row": None,
        "is_machine": False,
        "email_key": "0123456789abcdef0123456789abcdef",
        "window_hours": 24,
        **values,
    }
    columns = {}
    for column in table.columns:
        default = "x" if column.dtype == pl.String() else 0
        value = filled.get(column.name, None if column.nullable else default)
        columns[column.name] = value if isinstance(value, list) else [value] * count
    return pl.DataFrame(columns, schema=table.schema)


def write(lake: Lake, table: Table, by_day: dict[date, Sequence[pl.DataFrame]]) -> None:
    """Replace days, each frame a file of its own."""
    with lake.replacing(SLUG, table, Days(min(by_day), max(by_day))) as writer:
        for day, frames in by_day.items():
            for frame in frames:
                writer.write(day, frame)


def write_fates(lake: Lake, asset: str, fates: Sequence[Fate]) -> None:
    """Record fates of days, replacing what the ledger holds of the asset."""
    days = [fate.day for fate in fates if fate.day is not None]
    with lake.replacing(SLUG, FATES, Days(min(days), max(days)), partition={"asset": asset}) as writer:
        for day in sorted(set(days)):
            writer.write(day, fates_frame(asset, [fate for fate in fates if fate.day == day]))
