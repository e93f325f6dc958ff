"""What one day of a source has come to so far: typed rows on disk, and what never became a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from justai_assets.contract.foreign_names import safe_key
from justai_assets.landing.envelopes import REJECTED_SCHEMA
from justai_assets.landing.listing import LandedDay


@dataclass
class Parts:
    """Typed rows on disk, and what never became a row.

    Attributes:
        folder: where the rows go.
        paths: files of typed rows, in the order in which they came.
        rejected: REJECTED_SCHEMA frames.
        columns: reason → the columns for which files or rows were refused.
    """

    folder: Path
    paths: list[Path] = field(default_factory=list)
    rejected: list[pl.DataFrame] = field(default_factory=list)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, typed: pl.LazyFrame) -> None:
        """Write typed rows; one thread at a time. A file that could not be written whole is removed."""
        path = self.folder / f"typed-{len(self.paths):06d}.parquet"
        try:
            # Read once and whole: statistics would help nobody.
            typed.sink_parquet(path, compression="lz4", statistics=False, engine="streaming")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.paths.append(path)

    def refuse(self, reason: str, key: str, records: int = 1) -> None:
        """Refuse the records of a landed object, for one reason."""
        row = {
            "reason": reason,
            "source_file": safe_key(key),
            "source_row": None,
            "record_id": None,
            "records": records,
        }
        self.rejected.append(pl.DataFrame([row], schema=REJECTED_SCHEMA))

    def refuse_links(self, landed: LandedDay) -> int:
        """Refuse what a link brings in from outside the org's folder: how many, one record each."""
        for found in landed.links:
            self.refuse("link_outside", found.key)
        return len(landed.links)

    def blame(self, reason: str, columns: Iterable[str]) -> None:
        """Name the columns for which records are refused."""
        self.columns[reason] = tuple(dict.fromkeys((*self.columns.get(reason, ()), *columns)))

    def scan(self) -> pl.LazyFrame | None:
        """All rows, numbered in `_row`; None where there are none."""
        return (
            pl.scan_parquet(self.paths, row_index_name="_row", glob=False, hive_partitioning=False)
            if self.paths
            else None
        )
