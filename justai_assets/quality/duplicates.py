"""Duplicates: the same event stored twice on a day."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict

WARN_SHARE = 0.001
"""A unified stream has no event ids, and people do click twice in a second: only more than this is remarked."""


def duplicates(lake: Lake, slug: str, table: Table, days: Days) -> list[Verdict]:
    """Per day, rows beyond the first of their identity.

    The identity is event_id in esp_events; in custom_events event_id, or file and row for warehouse drops; in a unified
    stream that a warehouse delivers, the whole row. There equal rows can be honest, so they only warn, and only above
    a thousandth of the day.

    Identities are compared by their 64-bit hash: with ten million rows a day, one false find in 370,000 days.
    """
    rows = lake.scan(slug, table, days)
    is_certain = table.name in {ESP_EVENTS.name, CUSTOM_EVENTS.name}
    hashed = rows.select("event_date", _identity(table).hash().alias("identity"))
    found = (
        hashed.group_by("event_date")
        .agg(pl.len().alias("rows"), (pl.len() - pl.col("identity").n_unique()).alias("repeats"))
        .collect(engine="streaming")
    )
    by_day = {day: (rows, repeats) for day, rows, repeats in found.iter_rows()}
    verdicts = []
    for day in days:
        total, repeats = by_day.get(day, (0, 0))
        numbers = {"rows": total, "duplicate rows": repeats}
        said = (f"{repeats} of {total} rows repeat another",) if repeats else ()
        if is_certain:
            verdicts.append(Verdict(day, numbers, said))
        else:
            verdicts.append(Verdict(day, numbers, warnings=said if repeats > WARN_SHARE * total else ()))
    return verdicts


def _identity(table: Table) -> pl.Expr:
    if table.name == ESP_EVENTS.name:
        return pl.col("event_id")
    if table.name == CUSTOM_EVENTS.name:
        has_id = pl.col("event_id").is_not_null()
        return pl.struct(
            "event_id",
            pl.when(~has_id).then("source_file").alias("file"),
            pl.when(~has_id).then("source_row").alias("row"),
        )
    return pl.struct(table.schema.names())
