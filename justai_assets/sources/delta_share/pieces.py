"""A downloaded file as rows of single days.

A file of a table that is partitioned by event_date, or whose statistics name one day, is used as it is. Any other is
cut once, by its event_date column, so that no day scans the rows of another.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from justai_assets.contract.foreign_names import safe_key
from justai_assets.landing import parquet
from justai_assets.orgs.extra_columns import Kind
from justai_assets.sources.delta_share.answers import SharedFile
from justai_assets.sources.delta_share.days import Day, day_text, days_text, parse_day_text, parse_days
from justai_assets.sources.delta_share.download import local_name
from justai_assets.sources.delta_share.errors import CorruptFileError
from justai_assets.sources.warehouse_drop.parse import KINDS

_UNIFIED = KINDS["unified_events"]
_MANIFEST = "days.txt"
_REWRITE = "ask the provider to rewrite the file; the mirror keeps its last content"


def file_rows(
    file: SharedFile, path: Path, target: Path, *, dated: bool = False, extra: Mapping[str, Kind] | None = None
) -> pl.LazyFrame:
    """The contract's columns of a file and the declared ones, typed, with `source_row` and UNDECODABLE.

    A column that the file lacks although the table has it was added after the file was written: it is NULL, as Delta
    reads it. A partition column's value comes from the listing, whatever the file says.

    Args:
        file: the file.
        path: where it lies; removed when it cannot be read to its end, so that the next run downloads it again.
        target: where its decoded columns go; it must outlive the plan.
        dated: whether to give the event_date column too. A date that no calendar of ours holds is NULL.
        extra: the declared columns, name → kind.

    Raises:
        CorruptFileError: the file cannot be read to its end, or a column has a type that cannot be the contract's.
    """
    kinds = {**_UNIFIED, **(extra or {}), **({"event_date": "date"} if dated else {})}
    read = {name: kind for name, kind in kinds.items() if name not in file.partition}
    try:
        found = parquet.decoded(path, f"file {safe_key(file.id)}", read, target, optional=read)
    except parquet.DropFileError as error:
        if error.code != "unreadable_file":
            raise CorruptFileError(
                f"file {safe_key(file.id)} of the share cannot be read: {error.code} {error.column}",
                mend=_REWRITE,
                rows=error.rows,
                reason=error.code,
                column=error.column,
            ) from None
        path.unlink(missing_ok=True)
        raise CorruptFileError(
            f"file {safe_key(file.id)} of the share cannot be read to its end",
            mend="run it again to download it anew; if it stays, ask the provider to rewrite it; "
            "the mirror keeps its last content",
            rows=error.rows,
        ) from None
    absent = [_constant(file, name, kind) for name, kind in kinds.items() if name not in found.columns]
    return found.scan().with_columns(absent).select(parquet.ROW, *kinds, parquet.UNDECODABLE)


def _constant(file: SharedFile, name: str, kind: str) -> pl.Expr:
    value = pl.lit(file.partition.get(name), pl.String)
    if kind == "date":
        return value.str.to_date("%Y-%m-%d", strict=False).alias(name)
    if kind == "time":
        # Serialised in UTC, as `2026-01-31 08:15:00.123456` or as `2026-01-31T08:15:00.123456Z`.
        plain = value.str.replace("T", " ", literal=True).str.strip_suffix("Z").str.strip_suffix("+00:00")
        naive = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        return naive.dt.replace_time_zone("UTC").alias(name)
    if kind == "number":
        return value.cast(pl.Float64, strict=False).alias(name)
    return value.alias(name)


class Pieces:
    """Files that hold several days, cut by day into a folder. A cut that exists is whole.

    What lies in the folder is looked at once a file: a table of many files and days has their product in pieces.
    """

    def __init__(self, folder: Path, table: str, extra: Mapping[str, Kind] | None = None) -> None:
        self._folder = folder
        self._table = table
        self._extra = extra
        self._cuts: dict[str, dict[Day, Path]] = {}

    def days(self, file: SharedFile) -> frozenset[Day]:
        """The days of a file that has been cut, also those whose pieces are no longer needed and gone."""
        return parse_days((self._folder / local_name(file.id) / _MANIFEST).read_text(encoding="utf-8"))

    def of(self, file: SharedFile) -> Mapping[Day, Path] | None:
        """Day → piece of a file that has been cut, as far as the pieces are still there; None before the cut."""
        if file.id not in self._cuts:
            folder = self._folder / local_name(file.id)
            if not folder.is_dir():
                return None
            self._cuts[file.id] = {parse_day_text(path.stem): path for path in folder.glob("*.parquet")}
        return self._cuts[file.id]

    def cut(self, file: SharedFile, path: Path) -> Mapping[Day, Path]:
        """Cut a file; its original is removed once the cut is whole.

        Raises:
            CorruptFileError: the file cannot be read to its end.
        """
        done = self.of(file)
        if done is not None:
            return done
        target = self._folder / local_name(file.id)
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        # The name that rejects point at is put in here: a day's pieces are then read in one scan, not in one each.
        decoded = part / "decoded.arrow"
        rows = file_rows(file, path, decoded, dated=True, extra=self._extra).with_columns(
            source_file=pl.lit(source_name(self._table, file))
        )
        by_day = pl.PartitionBy(
            part, file_path_provider=_name, key="event_date", include_key=False, approximate_bytes_per_file=None
        )
        rows.sink_parquet(by_day, compression="lz4", engine="streaming")
        decoded.unlink()
        days = [parse_day_text(piece.stem) for piece in part.glob("*.parquet")]
        (part / _MANIFEST).write_text(days_text(days), encoding="utf-8")
        part.rename(target)
        path.unlink(missing_ok=True)
        return self.of(file) or {}

    def drop(self, file: SharedFile, day: Day) -> None:
        """Remove one day of a cut, if it is there."""
        piece = self._cuts.get(file.id, {}).pop(day, None)
        if piece is not None:
            piece.unlink(missing_ok=True)

    def forget(self, file: SharedFile) -> None:
        """Remove the cut of a file, if there is one."""
        self._cuts.pop(file.id, None)
        shutil.rmtree(self._folder / local_name(file.id), ignore_errors=True)


def source_name(table: str, file: SharedFile) -> str:
    """What rejected rows say of where they came from."""
    return safe_key(f"{table}/{file.id}")


def _name(piece: Any) -> str:
    # Not a folder a day: to make and to remove them costs more than the files in them.
    return f"{day_text(piece.partition_keys['event_date'][0])}.parquet"
