"""The ledger of fates: how many records of a day each asset received, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES, TABLES
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.store import Lake

RECEIVED = "received"
ACCEPTED = "accepted"
DUPLICATE = "duplicate"
QUARANTINED = "quarantined"
ATTRIBUTED = "attributed"
UNATTRIBUTED = "unattributed"
UNREAD_COLUMN = "unread_column"
"""A note, not an outcome: so many records came with a column (the reason) that the contract does not have."""
PLACEHOLDER_ID = "placeholder_id"
"""A note: so many accepted events carry a placeholder (`null`, `0`) in a field (the reason). The field names nobody."""
PLACEHOLDER_PEOPLE = "placeholder_people"
"""A note: so many people the other ids of these events name."""
SHARED_ID = "shared_id"
"""A note: so many custom events carry an id of a kind (the reason) that too many people share. It names nobody."""
SHARED_PEOPLE = "shared_people"
"""A note: so many ids of the other kind share one of these ids in the day's engagement events and three days before."""
NOTES = (UNREAD_COLUMN, PLACEHOLDER_ID, PLACEHOLDER_PEOPLE, SHARED_ID, SHARED_PEOPLE)


@dataclass(frozen=True)
class Fate:
    """So many records of a day, of one door or upstream table, met this fate."""

    day: date | None
    door: str
    fate: str
    records: int
    reason: str | None = None


@dataclass(frozen=True)
class DayReport:
    """What a person wants to know of a written day.

    Attributes:
        day: the event_date; None for undated records.
        rows: rows written.
        bytes: bytes of Parquet written.
        fates: what became of every record received.
        marks: remarks in words (refused files, columns that are not read).
        files: landing objects read.
    """

    day: date | None
    rows: int
    bytes: int
    fates: tuple[Fate, ...]
    marks: tuple[str, ...] = ()
    files: int = 0

    def records(self, fate: str) -> int:
        """Records of one fate, over all doors."""
        return sum(one.records for one in self.fates if one.fate == fate)


def fates_frame(asset: str, fates: Iterable[Fate]) -> pl.DataFrame:
    """Fates as rows of the table, one a line, zeros included."""
    return pl.DataFrame(
        [(one.day, asset, one.door, one.fate, one.reason, one.records) for one in fates],
        schema=FATES.schema,
        orient="row",
    )


def read_fates(lake: Lake, slug: str, days: Days, asset: str | None = None) -> pl.DataFrame:
    """The recorded fates of days that are built, of one asset or of all. Of a torn day the ledger tells old ones."""
    fates = recorded_fates(lake, slug, days, asset)
    for name in fates["asset"].unique():
        torn = BuiltDays.of(lake, slug, TABLES[name]).torn
        fates = fates.filter((pl.col("asset") != name) | ~pl.col("event_date").is_in(list(torn)))
    return fates


def recorded_fates(lake: Lake, slug: str, days: Days, asset: str | None = None) -> pl.DataFrame:
    """All that the ledger holds of days, of one asset or of all, whether or not it is true of the rows by now."""
    rows = lake.scan(slug, FATES, days)
    if asset is not None:
        rows = rows.filter(pl.col("asset") == asset)
    return rows.collect().sort("event_date", "asset", "door", "fate", "reason")


def read_undated_fates(lake: Lake, slug: str) -> pl.DataFrame:
    """The recorded fates of records without a day."""
    rows = lake.scan(slug, FATES).filter(pl.col("event_date").is_null())
    return rows.collect().sort("asset", "door", "fate", "reason")


def total(fates: pl.DataFrame, fate: str) -> int:
    """Records of one fate."""
    return int(fates.filter(pl.col("fate") == fate)["records"].sum())
