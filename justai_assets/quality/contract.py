"""The contract of a table, held against what its log says of each day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.schema import delta_schema
from justai_assets.lake.store import Lake
from justai_assets.quality.table_log import DAY, FIRST, LAST, NULLS, ROWS
from justai_assets.quality.verdict import Verdict


def contract(lake: Lake, slug: str, table: Table, days: Days, log: pl.DataFrame) -> list[Verdict]:
    """The columns and types of the table, and per day: no null where the contract has none, no time of another day.

    Args:
        lake: the lake.
        slug: the org.
        table: the table.
        days: the days.
        log: `read_log` of the table.

    The writer checks the same before it commits; this finds what others have written into the table, or a contract
    that has changed since. Times come from the log's statistics, which are whole milliseconds: the last millisecond
    of a day may be given as the first of the next.
    """
    shape = _shape(lake, slug, table)
    by_day = log.partition_by(DAY, as_dict=True)
    return [_day(table, day, by_day.get((day,), log.clear()), shape) for day in days]


def _day(table: Table, day: date, files: pl.DataFrame, shape: tuple[str, ...]) -> Verdict:
    problems = list(shape)
    nulls = 0
    unknown = 0
    for name in table.required:
        if f"{NULLS}{name}" in files.columns:
            counts = files[f"{NULLS}{name}"]
            unknown += counts.null_count()
            if found := int(counts.sum()):
                nulls += found
                problems.append(f"{found} rows without {name}")
    if "event_timestamp" in table.schema:
        begin = datetime.combine(day, time(), UTC)
        strays = files.filter((pl.col(FIRST) < begin) | (pl.col(LAST) > begin + timedelta(days=1)))
        if strays.height:
            problems.append(f"{strays.height} files hold rows of another day")
    warnings = (f"{unknown} statistics are missing from the log; nulls were not all counted",) if unknown else ()
    numbers = {"rows": int(files[ROWS].sum()), "nulls in required columns": nulls}
    return Verdict(day, numbers, tuple(problems), warnings)


def _shape(lake: Lake, slug: str, table: Table) -> tuple[str, ...]:
    """What is wrong with the columns of the table itself."""
    found = lake.open(slug, table)
    if found is None:
        return ("the table was never written",)
    have = {one.name: one.type for one in found.schema().fields}
    wanted = {one.name: one.type for one in delta_schema(table).fields}
    return (
        *(f"has a column {name} that the contract does not know" for name in have.keys() - wanted.keys()),
        *(f"lacks the column {name}" for name in wanted.keys() - have.keys()),
        *(
            f"the type of {name} is not the contract's"
            for name, type_ in wanted.items()
            if have.get(name, type_) != type_
        ),
    )
