"""What a table's newest snapshot consists of, from its log: for engines that read and write the files themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import Table
from justai_assets.lake.store import Lake


@dataclass(frozen=True)
class Held:
    """Rows and bytes of Parquet that a day has."""

    rows: int = 0
    bytes: int = 0


def held(lake: Lake, slug: str, table: Table, days: Days) -> dict[date, Held]:
    """What each day holds; nothing for a day without files or a table that was never written."""
    found = dict.fromkeys(days, Held())
    for day, rows, size in _files(lake, slug, table).select("day", "num_records", "size_bytes").iter_rows():
        if day in found:
            found[day] = Held(found[day].rows + rows, found[day].bytes + size)
    return found


def live_files(lake: Lake, slug: str, table: Table, days: Days, version: int | None = None) -> list[str]:
    """Keys, below the lake's root, of the Parquet files that the days consist of (or did, at a version).

    Raises:
        StorageError: the table marks rows as deleted beside its files, so that the files alone are not its content.
    """
    opened = lake.open(slug, table, version)
    if opened is not None and "deletionVectors" in (opened.protocol().reader_features or ()):
        raise StorageError(
            f"{slug}/{table.name} has deletion vectors, which its Parquet files do not show",
            mend="set delta.enableDeletionVectors to false on it, purge them, and drop the feature",
        )
    files = _files(lake, slug, table, version).filter(pl.col("day").is_between(days.first, days.last))
    return [f"{lake.key(slug, table)}/{unquote(path)}" for path in files["path"]]


def _files(lake: Lake, slug: str, table: Table, version: int | None = None) -> pl.DataFrame:
    found = lake.open(slug, table, version)
    if found is None:
        return pl.DataFrame(schema={"day": pl.Date, "path": pl.String, "num_records": pl.Int64, "size_bytes": pl.Int64})
    actions = pl.DataFrame(found.get_add_actions(flatten=True))
    return actions.select(pl.col(f"partition.{table.day_column}").alias("day"), "path", "num_records", "size_bytes")
