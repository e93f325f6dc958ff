"""Damaged files of which nothing but their rows could tell the days.

Such a file is counted with the undated rows and named in the quarantine. The days that other files give are mirrored,
and each day that the file may hold says so. Of these, a day that the mirror holds is never emptied or made smaller: its
rows may have moved into the damaged file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from justai_assets.contract.foreign_names import safe_key
from justai_assets.sources.delta_share.answers import SharedFile
from justai_assets.sources.delta_share.days import Day, days_text
from justai_assets.sources.delta_share.errors import CorruptFileError


@dataclass
class Unplaced:
    """The damaged files of one listing whose days are not known."""

    _found: dict[str, tuple[SharedFile, CorruptFileError]] = field(default_factory=dict)

    def add(self, file: SharedFile, error: CorruptFileError) -> None:
        """Take in a file, and why it cannot be read."""
        self._found[file.id] = (file, error)

    def __contains__(self, file_id: object) -> bool:
        """Whether the file of an id is one of them."""
        return file_id in self._found

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def records(self) -> Iterator[tuple[SharedFile, str, int]]:
        """Each file with the reason and its rows, by the list or by its footer; 1 where neither tells them."""
        for file, error in self._found.values():
            yield file, error.reason, _records(file, error)

    def may_hold(self, day: Day) -> bool:
        """Whether one of them may hold rows of a day, by what its statistics say."""
        return any(_may_hold(file, day) for file, _ in self._found.values())

    def remark(self, days: Iterable[Day]) -> str:
        """What a person should know; `days` are those of the share and of the mirror."""
        files = "; ".join(_said(file, error) for file, error in self._found.values())
        spans = days_text(day for day in days if self.may_hold(day)) or "none that other files or the mirror hold"
        return f"{files}; days that may be incomplete: {spans}"

    def mark(self, day: Day) -> tuple[str, ...]:
        """The remark on one day."""
        said = "; ".join(_said(file, error) for file, error in self._found.values() if _may_hold(file, day))
        return (f"may be incomplete: {said}",) if said else ()

    def error(self, days: Iterable[Day], others: Iterable[CorruptFileError] = ()) -> CorruptFileError:
        """What the run fails with at its end: see `remark`, and what else cannot be read."""
        return CorruptFileError(
            "; ".join(dict.fromkeys((self.remark(days), *(error.args[0] for error in others)))),
            mend="run it again to download them anew; if it stays, ask the provider to rewrite them; the other files' "
            "rows are mirrored",
        )


def _may_hold(file: SharedFile, day: Day) -> bool:
    if day is None:
        return file.has_undated is not False
    return (file.first is None or file.first <= day) and (file.last is None or day <= file.last)


def _records(file: SharedFile, error: CorruptFileError) -> int:
    return max(1, error.rows if file.records is None else file.records)


def _said(file: SharedFile, error: CorruptFileError) -> str:
    if file.first is None or file.last is None:
        where = "of unknown days"
    else:
        where = f"of days within {file.first}..{file.last}"
    why = f": {error.reason} {error.column}" if error.column else ""
    return f"file {safe_key(file.id)} of the share ({_records(file, error):,} rows, {where}) cannot be read{why}"
