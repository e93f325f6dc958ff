"""The Delta Sharing mirror against bare Polars: `justai bench share --rows 4000000`.

One run makes a shared table, serves it from a process of its own, and measures in fresh processes (a) downloading the
files and rewriting them by day with bare Polars, (b) the mirror, from nothing, (c) the mirror of a share that did not
change and (d) after one day changed. It prints seconds, peak memory and the ratio of (b) to (a).
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.file_listing import list_files
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.mirror_state import MirrorState, Target
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.storage import Root

TABLE = "main.events.unified"
FIRST = date(2026, 1, 1)


LAYOUTS = ("partitioned", "view", "unpartitioned")
"""By event_date, with a change feed; the same as a view, which has none; files that each hold every day."""

PHASES = ("bare", "mirrored", "unchanged", "one day changed")


def make_table(root: Path, rows: int, files: int, days: int, layout: str) -> None:
    """A table of `files` appends: partitioned by event_date, of one day each; otherwise of all days each."""
    from deltalake import write_deltalake

    by_day = layout != "unpartitioned"
    for index in range(files):
        first, span = (FIRST + timedelta(days=index % days), 1) if by_day else (FIRST, days)
        write_deltalake(
            root,
            _rows(rows // files, first, span, index),
            partition_by=["event_date"] if by_day else None,
            mode="append",
            configuration={"delta.enableChangeDataFeed": "true"} if layout == "partitioned" and not index else None,
        )


def change_a_day(root: Path, rows: int, days: int) -> None:
    """Replace the day in the middle by half as many rows."""
    from deltalake import write_deltalake

    day = FIRST + timedelta(days=days // 2)
    frame = _rows(max(1, rows // days // 2), day, 1, 1_000_003)
    write_deltalake(root, frame, mode="overwrite", predicate=f"event_date = '{day}'")


def _rows(count: int, first: date, days: int, seed: int) -> pl.DataFrame:
    """Rows spread evenly over days."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    step = days * 86_400_000_000 // count
    moment = pl.lit(start).dt.cast_time_unit("us") + pl.duration(microseconds=pl.col("n") * step)
    return pl.select(pl.int_range(count, dtype=pl.Int64).alias("n")).select(
        pl.when(pl.col("n") % 3 == 0).then(pl.lit("emailSend")).when(pl.col("n") % 3 == 1)
        .then(pl.lit("emailOpen")).otherwise(pl.lit("purchase")).alias("event_name"),
        moment.alias("event_timestamp"),
        moment.dt.date().alias("event_date"),
        # 32 hex digits that do not compress away, as Iterable's message ids.
        (pl.col("n").hash(seed * 2).map_batches(_hex, pl.String) + pl.col("n").hash(seed * 2 + 1)
         .map_batches(_hex, pl.String)).alias("message_id"),
        (pl.col("n") % 40 + 500).cast(pl.String).alias("template_id"),
        (pl.col("n") % 90 + 9000).cast(pl.String).alias("campaign_id"),
    )  # fmt: skip


def _hex(values: pl.Series) -> pl.Series:
    raw = values.to_numpy().tobytes().hex()
    return pl.Series([raw[start : start + 16] for start in range(0, len(raw), 16)])


def bare(profile: str, folder: str) -> None:
    """Download with four threads, rewrite each day with a streaming sink: nothing is checked."""
    target = Path(folder)
    (target / "in").mkdir(parents=True)
    with ShareClient(Profile.parse(profile)) as client, httpx.Client(timeout=60) as http:
        files = list_files(client, TableName.parse(TABLE)).files

        def get(index: int) -> Path:
            path = target / "in" / f"{index}.parquet"
            with http.stream("GET", files[index].url) as response, path.open("wb") as out:
                for chunk in response.iter_raw(1 << 20):
                    out.write(chunk)
            return path

        with ThreadPoolExecutor(4) as pool:
            paths = list(pool.map(get, range(len(files))))
    if not files[0].partition:
        by = pl.PartitionBy(target / "out", key="event_date", approximate_bytes_per_file=None)
        pl.scan_parquet(paths).sink_parquet(by, engine="streaming")
        return
    by_day: dict[str, list[Path]] = {}
    for file, path in zip(files, paths, strict=True):
        by_day.setdefault(str(file.partition["event_date"]), []).append(path)
    for day, found in by_day.items():
        pl.scan_parquet(found).sink_parquet(target / f"{day}.parquet", engine="streaming")


def mirrored(profile: str, folder: str) -> None:
    """The mirror: from nothing the first time, then what changed since."""
    target = Target(Lake(Root.parse(f"{folder}/lake")), "acme", Path(folder) / "work", {})
    kept = Path(folder) / "state.json"
    state = MirrorState.from_json(kept.read_text()) if kept.exists() else None
    with ShareClient(Profile.parse(profile)) as client:
        for step in mirror(client, TableName.parse(TABLE), target, state):
            state = step.state
    assert state is not None
    assert state.version is not None
    kept.write_text(state.to_json())


def measured(what: str, profile: str, folder: str) -> tuple[float, int]:
    """Seconds and peak bytes of one of the two, in a process of its own."""
    # VmHWM, not ru_maxrss: the latter starts at what the parent held when it forked.
    code = (
        "import sys, time, json, pathlib, re\n"
        "from benchmarks import share_mirror as bench\n"
        f"start = time.perf_counter(); bench.{what}(*sys.argv[1:]); spent = time.perf_counter() - start\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]\n"
        "print(json.dumps([spent, int(peak)]))\n"
    )
    command = [sys.executable, "-c", code, profile, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    seconds, peak = json.loads(done.stdout)
    return seconds, peak * 1024


def _serve(root: str, layout: str, ready: multiprocessing.connection.Connection) -> None:
    from justai_assets.testing.share_server import ShareServer
    from justai_assets.testing.share_server.shared_tables import SharedTable

    with ShareServer({TABLE: SharedTable(Path(root), is_view=layout == "view")}) as server:
        ready.send(server.profile())
        ready.recv()


def bench(rows: int, files: int, days: int, layout: str) -> Iterator[str]:
    """The lines of one layout, as they are measured."""
    base = Path(tempfile.mkdtemp(prefix="share-bench-"))
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    try:
        make_table(base / "table", rows, files, days, layout)
        size = sum(path.stat().st_size for path in (base / "table").rglob("*.parquet"))
        yield f"{layout}: {rows:,} rows, {files} files, {days} days, {size / 1e6:.0f} MB"
        server = spawn.Process(target=_serve, args=(str(base / "table"), layout, there), daemon=True)
        server.start()
        profile = here.recv()
        seconds: dict[str, float] = {}
        for phase in PHASES:
            if phase == "one day changed":
                change_a_day(base / "table", rows, days)
            what = "bare" if phase == "bare" else "mirrored"
            seconds[phase], peak = measured(what, profile, str(base / what))
            yield f"  {phase:16} {seconds[phase]:7.1f} s  {peak / 2**20:6.0f} MiB peak, load {os.getloadavg()[0]:.1f}"
        yield f"  mirrored : bare  {seconds['mirrored'] / seconds['bare']:7.2f}"
        here.send("stop")
        server.join(5)
    finally:
        shutil.rmtree(base, ignore_errors=True)
