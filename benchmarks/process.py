"""One contender in a process of its own: seconds, peak memory, and what it wrote."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.events import Events
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import UNIFIED_EVENTS


class BenchError(JustAIError):
    """A benchmark that did not run to its end, or whose contenders disagree."""

    code = "bench"


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        contender: its name.
        seconds: from the start of the process to its end.
        cpu_seconds: processor time it took on all cores; steadier than `seconds` where others use the machine.
        peak_mb: greatest resident memory of the process and its children, MB.
        rows: rows written.
        checksum: the same for the same rows in any order.
        written_mb: size of the output.
    """

    contender: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    rows: int
    checksum: int
    written_mb: float


def run(contender: str, events: Events, first: date, out: Path) -> Run:
    """Run a contender over the files; `out` must not exist and is removed again.

    Raises:
        BenchError: it failed; the message ends with the last line it said.
    """
    command = [sys.executable, "-m", "benchmarks.contenders", contender, events.esp, events.custom]
    try:
        spent, _ = measure(contender, [*command, str(first), str(out)], out.parent / f"{contender}.log")
        rows, checksum = _rows(out)
        written = sum(path.stat().st_size for path in out.rglob("*.parquet")) / 1e6
        return Run(contender, spent.seconds, spent.cpu_seconds, spent.peak_mb, rows, checksum, written)
    finally:
        shutil.rmtree(out, ignore_errors=True)


@dataclass(frozen=True)
class Spent:
    """What a process took: as in Run."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(contender: str, command: list[str], log: Path) -> tuple[Spent, str]:
    """Run a command to its end; what it took, and the last line it said.

    Args:
        contender: its name, for the error.
        command: program and arguments.
        log: file for what it says, written anew.

    Raises:
        BenchError: it failed; the message ends with the last line it said.
    """
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("w+b") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603 - the caller is our own code
        peak = _watch(process)
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        file.seek(0)
        said = file.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise BenchError(f"{contender} ended with {process.returncode}: {said[-1] if said else 'no output'}")
    return Spent(seconds, cpu, peak / 1e6), said[-1] if said else ""


def _watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end; the greatest resident bytes seen of the process and its children together.

    Looked at every few milliseconds: what the kernel reports at the end starts with the size of the parent.
    """
    import psutil

    peak, main = 0.0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [main, *main.children(recursive=True)]
            peak = max(peak, sum(one.memory_info().rss for one in family))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.01)
    return peak


def _rows(out: Path) -> tuple[int, int]:
    """How many rows, and the sum of their hashes, file by file."""
    rows, checksum = 0, 0
    for path in sorted(out.rglob("*.parquet")):
        frame = pl.scan_parquet(path, hive_partitioning=True, try_parse_hive_dates=True)
        columns = [_as(name, dtype) for name, dtype in UNIFIED_EVENTS.schema.items()]
        hashed = frame.select(pl.struct(columns).hash(0).alias("hash"))
        summed = hashed.select(pl.len(), pl.col("hash").cast(pl.Int128).sum().alias("sum")).collect(engine="streaming")
        count, total = summed.row(0)
        rows += count
        checksum = (checksum + (total or 0)) % 2**64
    return rows, checksum


def _as(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if name == "event_timestamp":
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    return column.cast(dtype)
