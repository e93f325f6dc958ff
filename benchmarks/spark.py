"""`justai bench spark`: a day of attributed_events and unified_events from the assets, in local Spark beside Polars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.events import FIRST_DAY, Events, write_events
from benchmarks.process import BenchError
from benchmarks.report import machine
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.storage import Root

if TYPE_CHECKING:
    import psutil

MAX_SECONDS: Final = 90.0
"""What a day of a million events may take in local Spark, both assets and the start of Dagster included."""

_EVENTS_A_USER: Final = 1.84
_TABLES: Final = (ATTRIBUTED_EVENTS, UNIFIED_EVENTS)
_ORG = """\
slug: bench
start_date: 2026-01-01
pseudonym_salt: env:BENCH_SALT
engagement: iterable_webhooks
custom: journey_webhooks
sources:
  iterable_webhooks: {{}}
  journey_webhooks: {{api_key: env:BENCH_KEY, events: {{"290146": purchase}}}}
engine: {engine}
databricks: {{wheel: /Volumes/bench/bench/bench/none.whl, volume: /Volumes/bench/bench/bench}}
"""


@dataclass(frozen=True)
class Timed:
    """One engine's run: seconds of the process, processor time (steadier where others are busy), seconds by asset."""

    engine: str
    seconds: float
    cpu_seconds: float
    by_asset: dict[str, float]

    def __str__(self) -> str:
        """One line."""
        parts = "  ".join(f"{name} {seconds:6.1f} s" for name, seconds in self.by_asset.items())
        return f"{self.engine:<12} {self.seconds:6.1f} s  CPU {self.cpu_seconds:6.1f} s  {parts}"


def spark(
    folder: Path, *, events: int = 1_000_000, lookback_days: int = 0, progress: Callable[[str, float], None]
) -> list[str]:
    """Both engines over the same day of the same lake; lines to print.

    Args:
        folder: for generated files and the lake.
        events: engagement and custom events of the day.
        lookback_days: days before it with as many events each, whose sends are read too, 0 … 3.
        progress: called with what is being done and the share done.

    Raises:
        BenchError: an engine failed, or the two wrote different rows.
    """
    progress("generating events", 0.0)
    found = write_events(folder / f"spark-{events}", int(events / _EVENTS_A_USER), days=4)
    day = found.last_day
    lake = Lake(Root.parse(str(folder / "spark-lake")))
    _fill(lake, found, Days(day - timedelta(days=lookback_days), day))
    runs, written = [], []
    for number, engine in enumerate(("polars", "databricks")):
        progress(engine, (number + 1) / 3)
        runs.append(_run(folder, lake, engine, day))
        written.append([_checksum(lake, table, day) for table in _TABLES])
    if written[0] != written[1]:
        raise BenchError("Spark and Polars wrote different rows")
    rows = sum(count for count, _ in (_checksum(lake, table, day) for table in (ESP_EVENTS, CUSTOM_EVENTS)))
    slow = runs[1].seconds
    more = runs[1].cpu_seconds / runs[0].cpu_seconds
    return [
        f"one day, {rows:,} events, {lookback_days} days of as many before it; {machine()}",
        *(str(run) for run in runs),
        f"local Spark takes {slow / runs[0].seconds:.1f} × Polars, {more:.1f} × in "
        f"processor time; both wrote the same {written[0][0][0]:,} "
        f"and {written[0][1][0]:,} rows",
        f"target {MAX_SECONDS:.0f} s: {'held' if slow <= MAX_SECONDS else 'missed'}",
    ]


def _fill(lake: Lake, events: Events, days: Days) -> None:
    """The generated events as the two tables: engagement carries both keys, custom events the user's."""
    for table, kind in ((ESP_EVENTS, "esp"), (CUSTOM_EVENTS, "custom")):
        with lake.replacing("bench", table, Days(FIRST_DAY, events.last_day)) as rows:
            for day in days:
                frame = pl.scan_parquet(events.folder / kind / f"{day}-*.parquet").with_row_index("source_row")
                person = pl.col("user_id").str.slice(5).str.zfill(31)
                columns = {
                    "event_id": pl.lit(None),
                    "raw_event_name": pl.col("event_name"),
                    "event_date": pl.lit(day),
                    "is_machine": pl.lit(value=False),
                    "door": pl.lit("bench"),
                    "user_key": "u" + person,
                    **({"event_id": pl.col("message_id"), "email_key": "e" + person} if kind == "esp" else {}),
                }
                have = set(frame.collect_schema()) | columns.keys()
                wanted = [
                    (columns.get(name, pl.col(name)) if name in have else pl.lit(None)).cast(dtype).alias(name)
                    for name, dtype in table.schema.items()
                ]
                rows.write(day, frame.select(wanted))


def _run(folder: Path, lake: Lake, engine: str, day: date) -> Timed:
    file = folder / "bench.yaml"
    file.write_text(_ORG.format(engine=engine), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.timed_day", str(file), lake.root.url, str(day)]
    began = time.perf_counter()
    environment = {**os.environ, "JUSTAI_DATABRICKS": "local"}
    with (folder / "out.log").open("w+") as out, (folder / "err.log").open("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)  # noqa: S603 - our own module
        cpu = _cpu_seconds(process)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        if process.returncode:
            said = err.read().strip().splitlines()
            raise BenchError(f"{engine} ended with {process.returncode}: {said[-1] if said else 'no output'}")
        return Timed(engine, seconds, cpu, json.loads(out.read().strip().splitlines()[-1]))


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end; processor time of the process and all it started, looked at twice a second.

    Not the kernel's sum over waited children: PySpark's JVM is nobody's child when it ends.
    """
    import psutil

    main, spent = psutil.Process(process.pid), dict[int, float]()
    while process.poll() is None:
        for one in [main, *_family(main)]:
            try:
                times = one.cpu_times()
            except psutil.Error:
                continue
            spent[one.pid] = times.user + times.system
        time.sleep(0.5)
    return sum(spent.values())


def _family(main: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return main.children(recursive=True)
    except psutil.Error:
        return []


def _checksum(lake: Lake, table: Table, day: date) -> tuple[int, int]:
    hashed = lake.scan("bench", table, Days(day, day)).select(pl.struct(pl.all()).hash(0).cast(pl.Int128).alias("hash"))
    count, total = hashed.select(pl.len(), pl.col("hash").sum()).collect().row(0)
    return count, total or 0
