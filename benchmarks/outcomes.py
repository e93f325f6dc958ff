"""`justai bench outcomes`: a day of message_outcomes beside the attribution of the same day and DuckDB."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.messages import days_around, write_messages
from benchmarks.outcomes_contenders import CONTENDERS, place
from benchmarks.process import BenchError, Run, measure
from benchmarks.report import Report, Row
from justai_assets.attribution.build import build_attributed
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, MESSAGE_OUTCOMES
from justai_assets.sources.lineage import stream_tables

DAY: Final = date(2026, 1, 8)
BASE: Final = "attribution"
_NOT_COMPARED: Final = {"person", "copy_id", "values", "conversions"}
"""DuckDB knows no person and no copy. Conversions are compared one by one."""


def outcomes(
    folder: Path,
    *,
    sends: int = 1_000_000,
    contenders: Sequence[str] = tuple(CONTENDERS),
    repeats: int = 3,
    progress: Callable[[str, float], None] | None = None,
) -> Report:
    """Every contender `repeats` times, in turns, over seven generated days around one send day.

    Args:
        folder: for the tables, about 1.1 kB a message of one day; kept and used again for the same `sends`.
        sends: messages a day.
        contenders: names out of CONTENDERS; message_outcomes before floor.
        repeats: the table shows medians.
        progress: called with what is being done and the share done.

    Raises:
        BenchError: an unknown contender, one that fails, or DuckDB's rows are not those of message_outcomes.
    """
    unknown = [name for name in contenders if name not in CONTENDERS]
    if unknown:
        raise BenchError(f"no contender {', '.join(unknown)}", mend=f"choose from {', '.join(CONTENDERS)}")
    say = progress or (lambda _doing, _share: None)
    say("generating messages", 0.0)
    home = folder / f"outcomes-{sends}"
    read = _filled(home, sends)
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for number, name in enumerate(contenders):
            say(name, (repeat * len(contenders) + number) / (repeats * len(contenders)))
            command = [sys.executable, "-m", "benchmarks.outcomes_contenders", name, str(home), str(DAY)]
            spent, _ = measure(name, command, home / f"{name}.log")
            runs[name].append(Run(name, spent.seconds, spent.cpu_seconds, spent.peak_mb, *_written(home, name)))
    ours, theirs = (runs.get(name, [])[:1] for name in ("message_outcomes", "duckdb_join"))
    if ours and theirs and (ours[0].rows, ours[0].checksum) != (theirs[0].rows, theirs[0].checksum):
        raise BenchError(f"DuckDB's {theirs[0].rows:,} rows are not the {ours[0].rows:,} of message_outcomes")
    title = f"message_outcomes, {sends:,} sends a day, {read:,} events in 7 days"
    return Report(title, tuple(Row.of(name, some) for name, some in runs.items()), base=BASE if BASE in runs else "")


def _filled(folder: Path, sends: int) -> int:
    """Make the tables that are not there yet; the events of all days."""
    org, lake = place(folder)
    done = folder / "done"
    days = days_around(DAY)
    if not done.exists():
        write_messages(lake, org.slug, days, sends, folder / "scratch")
        build_attributed(org, lake, Days(DAY, days.last))
        done.touch()
    return sum(sum(lake.counts(org.slug, table, days).values()) for table in stream_tables(org))


def _written(folder: Path, contender: str) -> tuple[int, int, float]:
    """Rows, checksum and megabytes of what a contender wrote; the checksum of outcomes only."""
    org, lake = place(folder)
    if contender == BASE:
        opened = lake.open(org.slug, ATTRIBUTED_EVENTS)
        rows = lake.counts(org.slug, ATTRIBUTED_EVENTS, Days(DAY, DAY))[DAY]
        files = opened.file_uris([("event_date", "=", str(DAY))]) if opened else []
        return rows, 0, sum(Path(one).stat().st_size for one in files) / 1e6
    if contender == "message_outcomes":
        opened = lake.open(org.slug, MESSAGE_OUTCOMES)
        files = opened.file_uris([("send_date", "=", str(DAY))]) if opened else []
        frame = lake.scan(org.slug, MESSAGE_OUTCOMES, Days(DAY, DAY))
    else:
        files = [str(folder / f"{contender}.parquet")]
        frame = pl.scan_parquet(files)
    return *_checksum(frame), sum(Path(one).stat().st_size for one in files) / 1e6


def _checksum(frame: pl.LazyFrame) -> tuple[int, int]:
    """How many rows, and a sum that is the same for the same rows in any order."""
    columns = [
        pl.col(name).cast(pl.Datetime("us")).cast(pl.Int64)
        if isinstance(dtype, pl.Datetime)
        else pl.col(name).cast(dtype)
        for name, dtype in MESSAGE_OUTCOMES.schema.items()
        if name not in _NOT_COMPARED
    ]
    hashed = pl.struct(columns).hash(0).cast(pl.Int128)
    rows, total = frame.select(pl.len(), hashed.sum().alias("sum")).collect(engine="streaming").row(0)
    kinds = MESSAGE_OUTCOMES.schema["conversions"]
    entries = (
        frame.select("message_id", pl.col("conversions").cast(kinds))
        .filter(pl.col("conversions").list.len() > 0)
        .explode("conversions")
        .unnest("conversions")
        .select(pl.struct(pl.all()).hash(0).cast(pl.Int128).sum().alias("sum"))
    )
    return rows, ((total or 0) + (entries.collect(engine="streaming").item() or 0)) % 2**64
