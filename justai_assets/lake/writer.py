"""The files of the days that one commit replaces, until it is made."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from deltalake.transaction import AddAction, RemoveAction

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError
from justai_assets.contract.tables import Table
from justai_assets.lake.day_parquet import DayFile, Frame, check_contract, remove_files, write_empty, write_files
from justai_assets.lake.stamp import Stamp
from justai_assets.storage import Root

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class DayWriter:
    """Collects the files of the days being replaced; nothing is visible before the commit."""

    table: Table
    days: Days | None
    partition: Mapping[str, str]
    _root: Root
    _base: str
    _spool: Path | None
    stamp: Stamp | None = None
    files: dict[date | None, list[DayFile]] = field(default_factory=dict)
    is_maybe_committed: bool = False
    _keys: list[tuple[str, date | None, DayFile]] = field(default_factory=list)

    def write(self, day: date | None, frame: Frame) -> int:
        """Write rows of one day, checked against the contract; returns how many. May be called again for a day.

        Raises:
            ContractError: wrong columns, a null in a required column, a time on another day, a day outside the range.
        """
        if (day is None) != (self.days is None) or (self.days is not None and day not in self.days):
            raise ContractError(f"{self.table.name}: {day} is not among the days being replaced ({self.days})")
        relative, folder = self._place(day)
        token = self._token()
        try:
            files = write_files(folder, self.table, frame, token)
            check_contract(self.table, day, files)
        except BaseException:
            remove_files(folder, token)
            raise
        self._keep(relative, day, files)
        return sum(file.rows for file in files)

    def empty(self, days: Iterable[date]) -> None:
        """Leave a file without rows for each of the days that has no file yet."""
        for day in days:
            if self.days is not None and day in self.days and not self.files.get(day):
                relative, folder = self._place(day)
                self._keep(relative, day, [write_empty(folder, self.table, self._token())])

    def _token(self) -> str:
        """What the names of one write have in common: a part that is its own, and by what the rows are made."""
        own = secrets.token_hex(8)
        return own if self.stamp is None else f"{own}-{self.stamp}"

    def _place(self, day: date | None) -> tuple[str, Path]:
        values = {self.table.day_column: None if day is None else day.isoformat(), **self.partition}
        relative = "/".join(f"{name}={values[name] or _NULL_PARTITION}" for name in self.table.partition_by)
        return relative, (self._spool or self._root.local(self._base)) / relative

    def _keep(self, relative: str, day: date | None, files: list[DayFile]) -> None:
        for file in files:
            key = f"{relative}/{file.path.name}"
            if self._spool is not None:
                self._root.write(f"{self._base}/{key}", file.path)
                file.path.unlink()
            self._keys.append((key, day, file))
        self.files.setdefault(day, []).extend(files)

    def rows(self, day: date | None) -> int:
        """Rows written so far for a day."""
        return sum(file.rows for file in self.files.get(day, ()))

    def bytes(self, day: date | None) -> int:
        """Bytes written so far for a day."""
        return sum(file.size for file in self.files.get(day, ()))

    @property
    def names(self) -> set[str]:
        """Names of the files, which no other writer's have."""
        return {file.path.name for _, _, file in self._keys}

    def actions(self) -> list[AddAction | RemoveAction]:
        """The files as Delta add actions."""
        return [
            AddAction(
                key,
                file.size,
                {self.table.day_column: None if day is None else day.isoformat(), **self.partition},
                int(time.time() * 1000),
                True,
                file.stats(),
            )
            for key, day, file in self._keys
        ]

    def discard(self) -> None:
        """Remove what was written, after a failure."""
        self._root.delete(*(f"{self._base}/{key}" for key, _, _ in self._keys))
