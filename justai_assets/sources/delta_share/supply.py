"""The rows of days, from files that arrive: what is started, what is cut, what may leave the disk again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from justai_assets.contract.foreign_names import safe_key
from justai_assets.sources.delta_share.answers import SharedFile
from justai_assets.sources.delta_share.days import Day, known_days
from justai_assets.sources.delta_share.download import Downloads
from justai_assets.sources.delta_share.errors import CorruptFileError, ShareMovedError
from justai_assets.sources.delta_share.listing import Listing
from justai_assets.sources.delta_share.pieces import Pieces
from justai_assets.sources.delta_share.plan import Plan, files_of
from justai_assets.sources.delta_share.unplaced import Unplaced
from justai_assets.sources.delta_share.write import Part, rows_in


class Supply:
    """Files of one listing as parts of days.

    Attributes:
        days: file id → the days it holds, of every listed file after `find_days`.
        unplaced: the damaged files of which only their rows could tell the days; they count as undated.
    """

    def __init__(self, listing: Listing, downloads: Downloads, pieces: Pieces) -> None:
        self._listing = listing
        self._downloads = downloads
        self._pieces = pieces
        self._arriving: dict[str, Future[Path]] = {}
        self._damaged: dict[str, CorruptFileError] = {}
        self.days: dict[str, frozenset[Day]] = {}
        self.unplaced = Unplaced()

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
        arriving = self._downloads.start(file for file in unknown if self._pieces.of(file) is None)
        for file in unknown:
            try:
                if file.id in arriving:
                    self._pieces.cut(file, arriving[file.id].result())
                self.days[file.id] = self._pieces.days(file)
            except CorruptFileError as error:
                self.unplaced.add(file, error)
                self.days[file.id] = frozenset({None})
        return {file.id: self.days[file.id] for file in unknown if file.id not in self.unplaced}

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
        needed = [
            file for file in files_of(plan, batch) if file.id not in self.unplaced and not self._has_pieces(file, batch)
        ]
        self._arriving = self._downloads.start(needed)

    def parts(self, plan: Plan, day: Day) -> list[Part]:
        """The parts of a day of the started batch, as soon as they are there.

        Raises:
            ShareError: of the download that failed.
        """
        return [self._part(file, day) for file in plan.files.get(day, ()) if file.id not in self.unplaced]

    def clear(self, plan: Plan, written: Collection[Day], still_open: Sequence[Day]) -> None:
        """Free the disk of what no open day needs."""
        needed = {file.id for file in files_of(plan, still_open)}
        for file in files_of(plan, written):
            if file.id not in needed:
                self._downloads.path(file).unlink(missing_ok=True)
                self._pieces.forget(file)
                continue
            for day in self.days[file.id].intersection(written):
                self._pieces.drop(file, day)

    def _has_pieces(self, file: SharedFile, batch: Collection[Day]) -> bool:
        cut = self._pieces.of(file)
        return cut is not None and all(day in cut for day in self.days[file.id].intersection(batch))

    def _part(self, file: SharedFile, day: Day) -> Part:
        if file.id in self._arriving:
            path = self._arriving[file.id].result()
            if len(self.days[file.id]) == 1:
                return Part(file, path, is_piece=False)
            if file.id in self._damaged:
                raise self._damaged[file.id]
            if path.exists():
                self._pieces.forget(file)
                try:
                    self._pieces.cut(file, path)
                except CorruptFileError as error:
                    # For each day that needs it: the file is gone from the disk, but not from the share.
                    self._damaged[file.id] = error
                    raise
        piece = (self._pieces.of(file) or {}).get(day)
        if piece is None:
            # What was learned of it in an earlier run is not what is in it now.
            raise ShareMovedError(
                f"file {safe_key(file.id)} does not hold {day} any more", mend="the share is listed anew"
            )
        return Part(file, piece, is_piece=True)
