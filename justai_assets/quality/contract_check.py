"""The contract of a table, held against what its log says of each day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DECLARED, Table
from justai_assets.lake.delta_schema import columns_of_another_version, delta_schema
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.table_log import DAY, FIRST, LAST, NULLS, ROWS


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
    shape, other = _shape(lake, slug, table)
    by_day = log.partition_by(DAY, as_dict=True)
    return [_day(table, day, by_day.get((day,), log.clear()), shape, other) for day in days]


def _day(table: Table, day: date, files: pl.DataFrame, shape: tuple[str, ...], other: tuple[str, ...]) -> Verdict:
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
    missing = (f"{unknown} statistics are missing from the log; nulls were not all counted",) if unknown else ()
    numbers = {"rows": int(files[ROWS].sum()), "nulls in required columns": nulls}
    return Verdict(day, numbers, tuple(problems), (*missing, *other))


def _shape(lake: Lake, slug: str, table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is wrong with the columns of the table itself, and what a person should look at."""
    found = lake.open(slug, table)
    if found is None:
        return ("the table was never written",), ()
    fields = found.schema().fields
    have = {one.name: one.type for one in fields}
    # A column cannot leave a Delta table: once declared it stays, empty as soon as its days are built again (no_pii).
    once = {one.name for one in fields if one.metadata.get("comment") == DECLARED}
    # A rollback has to go on: what a newer version added is empty on the days that this one builds.
    other = columns_of_another_version(found, table)
    wanted = {one.name: one.type for one in delta_schema(table).fields}
    foreign = have.keys() - wanted.keys() - once - set(other)
    problems = (
        *(f"has a column {name} that the contract does not know" for name in foreign),
        *(f"lacks the column {name}" for name in wanted.keys() - have.keys()),
        *(
            f"the type of {name} is not the contract's"
            for name, type_ in wanted.items()
            if have.get(name, type_) != type_
        ),
    )
    return problems, tuple(f"has a column {name} of another version, which this one leaves empty" for name in other)
