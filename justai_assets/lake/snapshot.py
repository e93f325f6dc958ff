"""A table as it was at one moment: whatever is committed meanwhile, all that is read of it belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.store import Lake


@dataclass(frozen=True)
class Snapshot:
    """One version of a table of an org.

    Attributes:
        version: the version; None for a table that was not written yet, which then stays empty.
        rows: rows by event_date, of the days that have any.
    """

    lake: Lake
    slug: str
    table: Table
    version: int | None
    rows: dict[date | None, int]

    @classmethod
    def of(cls, lake: Lake, slug: str, table: Table) -> Snapshot:
        """The table as it is now."""
        found = lake.open(slug, table)
        if found is None:
            return cls(lake, slug, table, None, {})
        day = f"partition.{table.day_column}"
        files = pl.DataFrame(found.get_add_actions(flatten=True)).select(day, "num_records")
        rows = files.group_by(day).agg(pl.col("num_records").sum())
        return cls(lake, slug, table, found.version(), dict(rows.iter_rows()))

    def count(self, day: date) -> int:
        """Rows of a day, from the log alone."""
        return self.rows.get(day, 0)

    def scan(self, days: Days) -> pl.LazyFrame:
        """The rows of days, lazily; files that were replaced since are there until they are vacuumed, a week later."""
        if self.version is None:
            return pl.LazyFrame(schema=self.table.schema)
        return self.lake.scan(self.slug, self.table, days, version=self.version)
