"""Which days of a table are built, when, and by what: the one answer, read from the tables' logs alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from justai_assets.contract.tables import FATES, Table
from justai_assets.lake.files import PREFIX
from justai_assets.lake.stamp import OPEN, Stamp
from justai_assets.lake.store import Lake


@dataclass(frozen=True)
class BuiltDays:
    """What the logs say of the days of a table.

    Where the ledger accounts for a table, its entry of a day is committed after the rows. An entry that is older than
    the rows is of what was there before them: the run ended between the two commits. Every other table is one commit,
    and each of its days has a file (`Table.marks_empty_days`).

    Attributes:
        at: days that are built, and when.
        torn: days whose rows are newer than their entry, or that an engine was at when its run ended.
        stamps: by what the built days were made; None where the file does not say.
    """

    at: dict[date, datetime]
    torn: frozenset[date]
    stamps: dict[date, Stamp | None]

    @classmethod
    def of(cls, lake: Lake, slug: str, table: Table) -> BuiltDays:
        """Read the logs, the rows' first: a run that ends meanwhile makes no day look torn."""
        rows = _log(lake, slug, table)
        if table.marks_empty_days:
            found = _latest(rows, table.day_column)
            return cls({day: at for day, (at, _) in found.items()}, frozenset(), _stamps(found))
        written = _latest(rows.filter(pl.col("path").str.contains(f"/{PREFIX}", literal=True)), table.day_column)
        ledger = _log(lake, slug, FATES)
        if not ledger.is_empty():
            ledger = ledger.filter(pl.col("partition.asset") == table.name)
        entries = _latest(ledger, FATES.day_column)
        torn = frozenset(
            day
            for day, (at, path) in entries.items()
            if Stamp.of_file(path) == OPEN or (day in written and at < written[day][0])
        )
        whole = {day: entry for day, entry in entries.items() if day not in torn}
        return cls({day: at for day, (at, _) in whole.items()}, torn, _stamps(whole))


def _log(lake: Lake, slug: str, table: Table) -> pl.DataFrame:
    found = lake.open(slug, table)
    if found is None:
        return pl.DataFrame(schema={"path": pl.String})
    return pl.DataFrame(found.get_add_actions(flatten=True))


def _latest(log: pl.DataFrame, column: str) -> dict[date, tuple[datetime, str]]:
    """When the newest file of each day was made, and its path."""
    if log.is_empty():
        return {}
    newest = log.group_by(pl.col(f"partition.{column}").alias("day")).agg(
        pl.col("modification_time").max(), pl.col("path").sort_by("modification_time").last()
    )
    rows = newest.drop_nulls("day").cast({"modification_time": pl.Int64}).iter_rows()
    return {day: (datetime.fromtimestamp(at / 1000, UTC), path) for day, at, path in rows}


def _stamps(found: dict[date, tuple[datetime, str]]) -> dict[date, Stamp | None]:
    return {day: Stamp.of_file(path) for day, (_, path) in found.items()}
