"""Which days of a table are built, when, and by what: the one answer, read from the tables' logs alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from justai_assets.contract.tables import FATES, Table
from justai_assets.lake.day_parquet import PREFIX
from justai_assets.lake.delta_log import LiveFile, live_names, names_of_opened
from justai_assets.lake.stamp import OPEN, Stamp
from justai_assets.lake.store import Lake


@dataclass(frozen=True)
class BuiltDays:
    """What the logs say of the days of a table.

    Where the ledger accounts for a table, its entry of a day is committed after the rows. An entry that is older than
    the rows is of what was there before them: the run ended between the two commits. Every other table is one commit,
    and each of its days has a file (`Table.marks_empty_days`).

    Attributes:
        modified: days that are built, and when, in milliseconds since 1970.
        torn: days whose rows are newer than their entry, or that an engine was at when its run ended.
        stamps: by what the built days were made; None where the file does not say.
    """

    modified: dict[date, int]
    torn: frozenset[date]
    stamps: dict[date, Stamp | None]

    @cached_property
    def at(self) -> dict[date, datetime]:
        """Days that are built, and when."""
        return {day: datetime.fromtimestamp(at / 1000, UTC) for day, at in self.modified.items()}

    @classmethod
    def of(cls, lake: Lake, slug: str, table: Table) -> BuiltDays:
        """Read the logs of one table; a run that opens the table too finds it open."""
        # On disk a log costs a millisecond. On S3 it costs requests, and the lake keeps what it has opened.
        return _of_tables(lake, slug, [table], live_names if lake.root.is_local else names_of_opened)[table.name]

    @classmethod
    def of_tables(cls, lake: Lake, slug: str, tables: Sequence[Table]) -> dict[str, BuiltDays]:
        """Read the logs of many tables, each once, without opening one; by the name of the table."""
        return _of_tables(lake, slug, tables, live_names)


_Latest = dict[date, LiveFile]
"""The newest file of each day."""


def _of_tables(
    lake: Lake, slug: str, tables: Sequence[Table], names: Callable[[Lake, str, Table], list[LiveFile]]
) -> dict[str, BuiltDays]:
    """Read the logs, the rows' first: a run that ends meanwhile makes no day look torn."""
    rows = {table.name: names(lake, slug, table) for table in tables}
    entries: dict[str | None, list[LiveFile]] = {}
    if not all(table.marks_empty_days for table in tables):
        for one in names(lake, slug, FATES):
            entries.setdefault(one.partition["asset"], []).append(one)
    return {
        table.name: _marked(_latest(rows[table.name], table))
        if table.marks_empty_days
        else _accounted(
            _latest((one for one in rows[table.name] if f"/{PREFIX}" in one.path), table),
            _latest(entries.get(table.name, ()), FATES),
        )
        for table in tables
    }


def _marked(found: _Latest) -> BuiltDays:
    return BuiltDays(_times(found), frozenset(), _stamps(found))


def _accounted(written: _Latest, entries: _Latest) -> BuiltDays:
    stamps = _stamps(entries)
    torn = frozenset(
        day
        for day, entry in entries.items()
        if stamps[day] == OPEN or (day in written and entry.modified < written[day].modified)
    )
    whole = {day: entry for day, entry in entries.items() if day not in torn}
    return BuiltDays(_times(whole), torn, {day: stamps[day] for day in whole})


def _latest(files: Iterable[LiveFile], table: Table) -> _Latest:
    newest: dict[str, LiveFile] = {}
    for one in files:
        day = one.partition[table.day_column]
        if day and (day not in newest or newest[day].modified <= one.modified):
            newest[day] = one
    return {date.fromisoformat(day): one for day, one in newest.items()}


def _times(found: _Latest) -> dict[date, int]:
    return {day: one.modified for day, one in found.items()}


def _stamps(found: _Latest) -> dict[date, Stamp | None]:
    return {day: Stamp.of_file(one.path) for day, one in found.items()}
