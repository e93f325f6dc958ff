"""The Delta Sharing mirror against bare Polars: `python -m justai_assets_tests.bench.share_mirror --rows 4000000`.

One run makes a shared table, serves it from a process of its own, and measures in fresh processes (a) downloading the
files and rewriting them by day with bare Polars and (b) the mirror. It prints seconds, peak memory and their ratio.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.connection
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.listing import list_files
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.step import Target
from justai_assets.storage import Root

TABLE = "main.events.unified"
FIRST = date(2026, 1, 1)


def make_table(root: Path, rows: int, files: int, days: int) -> None:
    """A table partitioned by event_date, `files` appends of whole days, so that a day holds files / days files."""
    from deltalake import write_deltalake

    count = rows // files
    for index in range(files):
        day = FIRST + timedelta(days=index % days)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        number = pl.int_range(count, dtype=pl.Int64)
        frame = pl.select(number.alias("n")).select(
            pl.when(pl.col("n") % 3 == 0).then(pl.lit("emailSend")).when(pl.col("n") % 3 == 1)
            .then(pl.lit("emailOpen")).otherwise(pl.lit("purchase")).alias("event_name"),
            (pl.lit(start).dt.cast_time_unit("us") + pl.duration(microseconds=pl.col("n") * 86_400_000_000 // count))
            .alias("event_timestamp"),
            pl.lit(day).alias("event_date"),
            # 32 hex digits that do not compress away, as Iterable's message ids.
            (pl.col("n").hash(index * 2).map_batches(_hex, pl.String) + pl.col("n").hash(index * 2 + 1)
             .map_batches(_hex, pl.String)).alias("message_id"),
            (pl.col("n") % 40 + 500).cast(pl.String).alias("template_id"),
            (pl.col("n") % 90 + 9000).cast(pl.String).alias("campaign_id"),
        )  # fmt: skip
        write_deltalake(root, frame, partition_by=["event_date"], mode="append")


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
    by_day: dict[str, list[Path]] = {}
    for file, path in zip(files, paths, strict=True):
        by_day.setdefault(str(file.partition["event_date"]), []).append(path)
    for day, found in by_day.items():
        pl.scan_parquet(found).sink_parquet(target / f"{day}.parquet", engine="streaming")


def mirrored(profile: str, folder: str) -> None:
    """The mirror, from nothing."""
    target = Target(Lake(Root.parse(f"{folder}/lake")), "acme", Path(folder) / "work", {})
    with ShareClient(Profile.parse(profile)) as client:
        *_, last = mirror(client, TableName.parse(TABLE), target, None)
    assert last.state.version is not None


def measured(what: str, profile: str, folder: str) -> tuple[float, int]:
    """Seconds and peak bytes of one of the two, in a process of its own."""
    # VmHWM, not ru_maxrss: the latter starts at what the parent held when it forked.
    code = (
        "import sys, time, json, pathlib, re\n"
        "from justai_assets_tests.bench import share_mirror as bench\n"
        f"start = time.perf_counter(); bench.{what}(*sys.argv[1:]); spent = time.perf_counter() - start\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]\n"
        "print(json.dumps([spent, int(peak)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, profile, folder], check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak * 1024


def _serve(root: str, ready: multiprocessing.connection.Connection) -> None:
    from justai_assets_tests.share_server import ShareServer

    with ShareServer({TABLE: Path(root)}) as server:
        ready.send(server.profile())
        ready.recv()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="share-bench-"))
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    try:
        make_table(base / "table", given.rows, given.files, given.days)
        size = sum(path.stat().st_size for path in (base / "table").rglob("*.parquet"))
        print(f"{given.rows:,} rows, {given.files} files, {given.days} days, {size / 1e6:.0f} MB")
        server = spawn.Process(target=_serve, args=(str(base / "table"), there), daemon=True)
        server.start()
        profile = here.recv()
        for turn in range(given.repeat):
            results = {what: measured(what, profile, str(base / f"{what}{turn}")) for what in ("bare", "mirrored")}
            for what, (seconds, peak) in results.items():
                print(f"{what:9} {seconds:7.1f} s  {peak / 2**20:6.0f} MiB peak")
            print(f"ratio     {results['mirrored'][0] / results['bare'][0]:7.2f}")
        here.send("stop")
        server.join(5)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
