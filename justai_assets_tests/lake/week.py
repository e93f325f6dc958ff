"""A week of a small table: written, and read back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS, Table
from justai_assets.lake.store import Lake

FIRST = date(2026, 1, 5)
WEEK = Days(FIRST, FIRST + timedelta(days=6))


def events(day: date, *names: str, hour: int = 12) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    rows = [(name, at + timedelta(seconds=index), day, "m", None, None) for index, name in enumerate(names)]
    return pl.DataFrame(rows, schema=UNIFIED_EVENTS.schema, orient="row")


def replace(lake: Lake, days: Days, *frames: pl.DataFrame, table: Table = UNIFIED_EVENTS) -> None:
    with lake.replacing("acme", table, days) as writer:
        for frame in frames:
            writer.write(frame["event_date"][0], frame)


def stored(lake: Lake, days: Days | None = None, table: Table = UNIFIED_EVENTS) -> list[tuple[date, str]]:
    return sorted(lake.scan("acme", table, days).select("event_date", "event_name").collect().rows())


def parts(lake: Lake) -> set[str]:
    return {
        found.key
        for found in lake.root.list("acme")
        if found.name.endswith(".parquet") and "_delta_log" not in found.key
    }


def live(lake: Lake, table: Table = UNIFIED_EVENTS) -> set[str]:
    found = lake.open("acme", table)
    assert found is not None
    return {f"acme/{table.name}/{key}" for key in pl.DataFrame(found.get_add_actions(flatten=True))["path"]}
