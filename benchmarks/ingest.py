"""`justai bench ingest`: from landed files to a committed table, against reading the same files and no more."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.ingest_contenders import CONTENDERS, FLOOR
from benchmarks.process import BenchError, Run, measure
from benchmarks.report import Report, Row
from benchmarks.webhooks import DAY, SLUG, Landed, land_webhooks

Progress = Callable[[str, float], None]
DROP: Final = "ingest_drop"
_TABLES: Final = {"ingest": "esp_events", DROP: "custom_events"}


def ingest(
    folder: Path,
    *,
    events: int = 1_000_000,
    contenders: Sequence[str] = tuple(CONTENDERS),
    repeats: int = 3,
    progress: Progress | None = None,
) -> Report:
    """Every contender `repeats` times, in turns, over the same generated day.

    `scan_ndjson` unpacks the files and counts lines without parsing one; `parse_needed` and `parse_all` parse the
    fields that the door reads, or all; `ingest` does what the asset does, and `ingest_drop` the same for Parquet.

    Args:
        folder: for the files, about 150 bytes an event, kept and used again, and the tables, removed.
        events: records of the day, one in a hundred delivered twice.
        contenders: names out of CONTENDERS.
        repeats: the table shows medians.
        progress: called with what is being done and the share done.

    Raises:
        BenchError: an unknown contender, one that fails, or one whose row counts are not the generated ones.
    """
    unknown = [name for name in contenders if name not in CONTENDERS]
    if unknown:
        raise BenchError(f"no contender {', '.join(unknown)}", mend=f"choose from {', '.join(CONTENDERS)}")
    if events < 1:
        raise BenchError(f"{events} events are none", mend="--events takes a number from 1")
    say = progress or (lambda _doing, _share: None)
    say("generating envelopes", 0.0)
    landed = land_webhooks(folder / f"landing-{events}", events, drop=DROP in contenders)
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for number, name in enumerate(contenders):
            say(name, (repeat * len(contenders) + number) / (repeats * len(contenders)))
            runs[name].append(_run(name, landed, folder / "out"))
    size = sum(path.stat().st_size for path in landed.webhook_files) / 1e6
    title = f"ingest, {events:,} events, {len(landed.webhook_files)} files of {size:,.0f} MB in all"
    return Report(title, tuple(Row.of(name, some) for name, some in runs.items()), base=FLOOR if FLOOR in runs else "")


def _run(name: str, landed: Landed, out: Path) -> Run:
    command = [sys.executable, "-m", "benchmarks.ingest_contenders", name]
    shutil.rmtree(out, ignore_errors=True)
    try:
        places = [str(landed.root), str(landed.orgs), str(out)]
        spent, said = measure(name, [*command, *places], out.parent / f"{name}.log")
        received = int(said)
        rows, size = _table(out, _TABLES[name]) if name in _TABLES else (received, 0.0)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    expected = landed.events - landed.duplicates if name == "ingest" else landed.events
    if (received, rows) != (landed.events, expected):
        raise BenchError(f"{name}: {received:,} records and {rows:,} rows, not {landed.events:,} and {expected:,}")
    return Run(name, spent.seconds, spent.cpu_seconds, spent.peak_mb, rows, 0, size)


def _table(out: Path, name: str) -> tuple[int, float]:
    """Rows of the day as the table itself tells them, and MB."""
    import polars as pl

    from justai_assets.contract.days import Days
    from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS
    from justai_assets.lake.store import Lake
    from justai_assets.storage import Root

    table = {one.name: one for one in (ESP_EVENTS, CUSTOM_EVENTS)}[name]
    scan = Lake(Root.parse(str(out))).scan(SLUG, table, Days(DAY, DAY))
    rows = scan.select(pl.len()).collect(engine="streaming").item()
    return int(rows), sum(path.stat().st_size for path in (out / SLUG / name).rglob("*.parquet")) / 1e6
