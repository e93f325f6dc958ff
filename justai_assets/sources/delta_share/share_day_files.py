"""The parts of days, from files that arrive: what is started, what is cut by day, what may leave the disk again.

A file of a table that is partitioned by event_date, or whose statistics name one day, is used as it is. Any other file
is cut once, by its event_date column, so that no day scans the rows of another.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from justai_assets.contract.foreign_names import safe_key
from justai_assets.orgs.extra_columns import Kind
from justai_assets.sources.delta_share.download import Downloads, file_rows, local_name, rows_in, source_name
from justai_assets.sources.delta_share.file_days import (
    Day,
    UndatableFiles,
    day_text,
    days_text,
    known_days,
    parse_day_text,
    parse_days,
)
from justai_assets.sources.delta_share.file_listing import Listing
from justai_assets.sources.delta_share.plan import Plan, files_of
from justai_assets.sources.delta_share.protocol import SharedFile
from justai_assets.sources.delta_share.share_errors import CorruptFileError, ShareMovedError

_MANIFEST = "days.txt"


class CutFiles:
    """Files that hold several days, cut by day into a folder. A cut that exists is whole.

    What lies in the folder is looked at once a file: a table of many files and days has their product in parts.
    """

    def __init__(self, folder: Path, table: str, extra: Mapping[str, Kind] | None = None) -> None:
        self._folder = folder
        self._table = table
        self._extra = extra
        self._cuts: dict[str, dict[Day, Path]] = {}

    def days(self, file: SharedFile) -> frozenset[Day]:
        """The days of a file that has been cut, also those whose parts are no longer needed and gone."""
        return parse_days((self._folder / local_name(file.id) / _MANIFEST).read_text(encoding="utf-8"))

    def of(self, file: SharedFile) -> Mapping[Day, Path] | None:
        """Day → part of a file that has been cut, as far as the parts are still there; None before the cut."""
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
        # The name that rejects point at is put in here: a day's parts are then read in one scan, not in one each.
        decoded = part / "decoded.arrow"
        rows = file_rows(file, path, decoded, dated=True, extra=self._extra).with_columns(
            source_file=pl.lit(source_name(self._table, file))
        )
        by_day = pl.PartitionBy(
            part, file_path_provider=_name, key="event_date", include_key=False, approximate_bytes_per_file=None
        )
        rows.sink_parquet(by_day, compression="lz4", engine="streaming")
        decoded.unlink()
        days = [parse_day_text(part_path.stem) for part_path in part.glob("*.parquet")]
        (part / _MANIFEST).write_text(days_text(days), encoding="utf-8")
        part.rename(target)
        path.unlink(missing_ok=True)
        return self.of(file) or {}

    def drop(self, file: SharedFile, day: Day) -> None:
        """Remove one day of a cut, if it is there."""
        part_path = self._cuts.get(file.id, {}).pop(day, None)
        if part_path is not None:
            part_path.unlink(missing_ok=True)

    def forget(self, file: SharedFile) -> None:
        """Remove the cut of a file, if there is one."""
        self._cuts.pop(file.id, None)
        shutil.rmtree(self._folder / local_name(file.id), ignore_errors=True)


def _name(found: Any) -> str:
    # Not a folder a day: to make and to remove them costs more than the files in them.
    return f"{day_text(found.partition_keys['event_date'][0])}.parquet"


@dataclass(frozen=True)
class Part:
    """The rows of one file that belong to one day.

    Attributes:
        file: the shared file.
        path: where the rows lie.
        is_cut: whether `path` holds a part of a cut file, already in the contract's columns and with its source.
    """

    file: SharedFile
    path: Path
    is_cut: bool

    @property
    def rows(self) -> int:
        """How many, from the footer."""
        return int(pq.read_metadata(self.path).num_rows) if self.is_cut else rows_in(self.file, self.path)


class DayFiles:
    """Files of one listing as parts of days.

    Attributes:
        days: file id → the days it holds, of every listed file after `find_days`.
        undatable: the damaged files of which only their rows could tell the days; they count as undated.
    """

    def __init__(self, listing: Listing, downloads: Downloads, cuts: CutFiles) -> None:
        self._listing = listing
        self._downloads = downloads
        self._cuts = cuts
        self._arriving: dict[str, Future[Path]] = {}
        self._damaged: dict[str, CorruptFileError] = {}
        self.days: dict[str, frozenset[Day]] = {}
        self.undatable = UndatableFiles()

    def find_days(self, learned: Mapping[str, str]) -> dict[str, frozenset[Day]]:
        """Learn the days of every listed file; those that nothing but their rows can tell are fetched and cut for it.

        Returns the days of files that had to be read, by file id.
        """
        unknown: list[SharedFile] = []
        for file in self._listing.files:
            known = known_days(file, learned)
            if known is None:
                unknown.append(file)
            else:
                self.days[file.id] = known
        arriving = self._downloads.start(file for file in unknown if self._cuts.of(file) is None)
        for file in unknown:
            try:
                if file.id in arriving:
                    self._cuts.cut(file, arriving[file.id].result())
                self.days[file.id] = self._cuts.days(file)
            except CorruptFileError as error:
                self.undatable.add(file, error)
                self.days[file.id] = frozenset({None})
        return {file.id: self.days[file.id] for file in unknown if file.id not in self.undatable}

    def is_known_to_have_rows(self) -> bool:
        """Whether the list says of any file that it has a row, or one was found when its days were read."""
        return any(
            file.records or (file.records is None and self.days[file.id] and "event_date" not in file.partition)
            for file in self._listing.files
        )

    def has_rows(self, plan: Plan) -> bool:
        """Whether any listed file has a row; they are fetched until one has, first those that the plan needs."""
        silent = {file.id: file for file in (*files_of(plan, plan.changed), *self._listing.files)}
        return any(rows_in(file, self._downloads.fetch(file)) for file in silent.values() if file.records is None)

    def start(self, plan: Plan, batch: Collection[Day]) -> None:
        """Start to fetch what the days of a batch need and what is not there."""
        readable = (file for file in files_of(plan, batch) if file.id not in self.undatable)
        self._arriving = self._downloads.start(file for file in readable if not self._has_cut(file, batch))

    def parts(self, plan: Plan, day: Day) -> list[Part]:
        """The parts of a day of the started batch, as soon as they are there.

        Raises:
            ShareError: of the download that failed.
        """
        return [self._part(file, day) for file in plan.files.get(day, ()) if file.id not in self.undatable]

    def clear(self, plan: Plan, written: Collection[Day], still_open: Sequence[Day]) -> None:
        """Free the disk of what no open day needs."""
        needed = {file.id for file in files_of(plan, still_open)}
        for file in files_of(plan, written):
            if file.id not in needed:
                self._downloads.path(file).unlink(missing_ok=True)
                self._cuts.forget(file)
                continue
            for day in self.days[file.id].intersection(written):
                self._cuts.drop(file, day)

    def _has_cut(self, file: SharedFile, batch: Collection[Day]) -> bool:
        cut = self._cuts.of(file)
        return cut is not None and all(day in cut for day in self.days[file.id].intersection(batch))

    def _part(self, file: SharedFile, day: Day) -> Part:
        if file.id in self._arriving:
            path = self._arriving[file.id].result()
            if len(self.days[file.id]) == 1:
                return Part(file, path, is_cut=False)
            if file.id in self._damaged:
                raise self._damaged[file.id]
            if path.exists():
                self._cuts.forget(file)
                try:
                    self._cuts.cut(file, path)
                except CorruptFileError as error:
                    # For each day that needs it: the file is gone from the disk, but not from the share.
                    self._damaged[file.id] = error
                    raise
        part_path = (self._cuts.of(file) or {}).get(day)
        if part_path is None:
            # What was learned of it in an earlier run is not what is in it now.
            raise ShareMovedError(
                f"file {safe_key(file.id)} does not hold {day} any more", mend="the share is listed anew"
            )
        return Part(file, part_path, is_cut=True)
