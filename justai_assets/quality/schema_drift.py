"""Schema drift: what a door sends beyond the contract, and what it sends in another type."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.ledger import QUARANTINED, UNREAD_COLUMN, read_fates
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict

CHANGED = ("wrong_type", "missing_column", "bad_body")


def schema_drift(lake: Lake, slug: str, table: Table, days: Days) -> list[Verdict]:
    """Per day, from the ledger: columns that are not read (warn), records refused for their type or shape (fail).

    A column that the contract does not have is not stored: a new column of an export may hold anything, a person's
    name included. A column that the contract allows to be absent is null.
    """
    fates = read_fates(lake, slug, days, table.name)
    verdicts = []
    for day in days:
        mine = fates.filter(pl.col("event_date") == day)
        unread = mine.filter(pl.col("fate") == UNREAD_COLUMN)
        refused = mine.filter(
            (pl.col("fate") == QUARANTINED) & pl.col("reason").is_in(CHANGED) & (pl.col("records") > 0)
        )
        columns = unread["reason"].unique().sort().to_list()
        numbers = {"columns not read": len(columns), "records of another type or shape": int(refused["records"].sum())}
        problems = tuple(
            f"{door}: {records} records refused as {reason}"
            for door, reason, records in refused.select("door", "reason", "records").iter_rows()
        )
        warnings = (f"columns beyond the contract, not read: {', '.join(columns)}",) if columns else ()
        verdicts.append(Verdict(day, numbers, problems, warnings))
    return verdicts
