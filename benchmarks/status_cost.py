"""What `justai status` costs over many orgs whose tables are built: CPU seconds of the command, as typed."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from benchmarks.location import DOORS, write_orgs
from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES, Table
from justai_assets.lake.ledger import ACCEPTED, RECEIVED, Fate, fates_frame
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.orgs.org_loader import load_orgs
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import org_tables
from justai_assets.storage import Root

MAX_CPU_SECONDS: Final = 5.0
DAILY: Final = 30
"""Days at the end that came one by one; those before them came in one backfill."""

LOOKED: Final = 7
"""Days that status looks at when it is not told how many."""

_JUSTAI: Final = "import sys; from justai_assets.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class StatusCost:
    """One call. The CPU is the command's, import included, and the same beside other work."""

    orgs: int
    days: int
    cpu_seconds: float
    doors: int

    @property
    def is_within(self) -> bool:
        """Whether the target for 200 orgs holds."""
        return self.cpu_seconds <= MAX_CPU_SECONDS

    def __str__(self) -> str:
        """One line."""
        return f"status, {self.orgs} orgs × {self.days} days, {self.doors} lines: CPU {self.cpu_seconds:.2f} s"


def status_cost(orgs: int = 200, days: int = 400, repeats: int = 3) -> Iterator[StatusCost]:
    """Calls of `justai status --json` over orgs of a usual shape, everything landed and built, nothing outdated."""
    today = datetime.now(UTC).date()
    every = Days(today - timedelta(days=days - 1), today)
    with TemporaryDirectory(prefix="justai-bench-") as folder:
        environment = _place(Path(folder), orgs, every)
        command = [sys.executable, "-W", "ignore", "-c", _JUSTAI, "status", "--json"]
        for _ in range(repeats):
            before = _children()
            done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)  # noqa: S603 - fixed program
            lines = done.stdout.splitlines()
            if len(lines) != orgs * len(DOORS) or any('"outdated": {}' not in line for line in lines):
                raise RuntimeError("a door of the benchmark is not there, or a day of its lake is outdated")
            yield StatusCost(orgs, days, _children() - before, len(lines))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _place(home: Path, orgs: int, days: Days) -> dict[str, str]:
    """Org files, landing zone and lake; the environment that names them."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME" and "JUSTAI_" not in name},
        "BENCH_SALT": "a-salt-of-the-benchmark-alone",
        "BENCH_KEY": "key",
        "JUSTAI_LANDING": str(home / "landing"),
        "JUSTAI_LAKE": str(home / "lake"),
        "JUSTAI_ORGS_DIR": str(home / "orgs"),
    }
    (home / "orgs").mkdir()
    write_orgs(home / "orgs", orgs, start=days.first)
    os.environ["BENCH_SALT"] = environment["BENCH_SALT"]
    first, *others = load_orgs(home / "orgs").by_slug.values()
    _land(Root.parse(str(home / "landing")), first, days)
    _build(Lake(Root.parse(str(home / "lake"))), first, days)
    for org in others:
        # The orgs differ in nothing but their slug, which neither a log nor a stamp names.
        shutil.copytree(home / "lake" / first.slug, home / "lake" / org.slug, ignore=_without_rows)
        _land(Root.parse(str(home / "landing")), org, days)
    return environment


def _without_rows(folder: str, names: list[str]) -> list[str]:
    """All but the logs: no command that tells a state reads a row."""
    return [] if "_delta_log" in folder else [name for name in names if "=" in name]


def _land(landing: Root, org: Org, days: Days) -> None:
    """A folder a day, and a file in each that status looks into: making and removing files is no part of it."""
    for door in DOORS:
        for day in days:
            folder = landing.local(day_prefix(door, org.slug, day))
            folder.mkdir(parents=True)
            if day > days.last - timedelta(days=LOOKED):
                file = folder / ("0000.parquet" if door == "redshift" else "0000.jsonl.zst")
                file.write_bytes(b"x")
                written = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
                os.utime(file, (written, written))


def _build(lake: Lake, org: Org, days: Days) -> None:
    last = days.last - timedelta(days=DAILY)
    ranges = [Days(days.first, last)] if last >= days.first else []
    ranges += [Days(day, day) for day in days if day > last]
    for some in ranges:
        for table in org_tables(org):
            _build_days(lake, org, table, some)


def _build_days(lake: Lake, org: Org, table: Table, days: Days) -> None:
    """As an asset commits them: rows, and what became of the records where the ledger accounts for the table."""
    stamp = stamp_of(org, table)
    with ExitStack() as stack:
        if not table.marks_empty_days:
            partition = {"asset": table.name}
            ledger = stack.enter_context(lake.replacing(org.slug, FATES, days, partition=partition, stamp=stamp))
            for day in days:
                fates = [Fate(day, door, fate, 1) for door in DOORS for fate in (RECEIVED, ACCEPTED)]
                ledger.write(day, fates_frame(table.name, fates))
        rows = stack.enter_context(lake.replacing(org.slug, table, days, stamp=stamp))
        for day in days:
            rows.write(day, _row(table, day))


def _row(table: Table, day: date) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    row = {one.name: _value(one.dtype, at) for one in table.columns if not one.nullable}
    return pl.DataFrame([row], schema=table.schema)


def _value(dtype: pl.DataType, at: datetime) -> object:
    if dtype.is_temporal():
        return at.date() if dtype == pl.Date() else at
    return "x" if dtype == pl.String() else dtype == pl.Boolean() or 1


def main() -> bool:
    """Print the calls; whether the target holds."""
    is_within = True
    for found in status_cost():
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()
        is_within = is_within and found.is_within
    return is_within


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
