"""How long the marts and the experiments take, on a made-up org: `python -m benchmarks.marts --help`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import yaml

from justai_assets.attribution.unified import unify_day
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.marts_assets import DAYS_A_RUN
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.experiments.attribution_metrics import build_metrics
from justai_assets.experiments.copy_daily_build import build_copy_daily
from justai_assets.experiments.org_results import judge
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_loader import load_org
from justai_assets.orgs.org_model import Org
from justai_assets.storage import Root

FIRST = date(2026, 1, 1)
EMPTY = date(2025, 1, 1)
PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"


def main() -> None:
    """Read the arguments, and measure in a folder that goes away unless one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--events", type=int, default=300_000, help="events a day")
    parser.add_argument("--folder", type=Path, help="keep the data there; days that are there are not made again")
    parser.add_argument("--no-experiments", action="store_true", help="the marts only")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-marts-") as folder:
        bench(chosen.folder or Path(folder), chosen.days, chosen.events, experiments=not chosen.no_experiments)


def bench(folder: Path, days: int, events: int, *, experiments: bool) -> None:
    """Make the days that are not there, run dbt over them from nothing and again, and print what each took."""
    org_file = folder / "orgs" / "bench.yaml"
    org_file.parent.mkdir(parents=True, exist_ok=True)
    arms = {"treatment": {"template_id": "1", "campaign_id": "9"}, "control": {"template_id": "2", "campaign_id": "9"}}
    content = {
        "slug": "bench",
        "start_date": FIRST,
        "pseudonym_salt": "env:BENCH_SALT",
        "engagement": "iterable_webhooks",
        "custom": ["redshift"],
        "sources": {"iterable_webhooks": {}, "redshift": {"content": "custom_events"}},
        "templates": [{"id": "t", "key_metric": "purchase", **arms}],
    }
    org_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    lake = Lake(Root.parse(str(folder / "lake")))
    period = Days(FIRST, FIRST + timedelta(days - 1))
    made = lake.counts("bench", UNIFIED_EVENTS, period)
    for day in period:
        if not made[day]:
            make_day(lake, day, events)
    marts = folder / "marts.duckdb"
    marts.unlink(missing_ok=True)
    os.environ |= {
        "BENCH_SALT": "a salt for made-up people only: 32 bytes",
        "JUSTAI_LAKE": str(folder / "lake"),
        "JUSTAI_ORGS_DIR": str(folder / "orgs"),
        "JUSTAI_MARTS": str(marts),
        "PYTHONPATH": str(PROJECT.parent),
    }
    print(f"{days} days × {events:,} events, runs of at most {DAYS_A_RUN} days; {machine()}")
    org = load_org(org_file)
    sent = build_tables(lake, org, period)
    start = report("dbt's start (a run over a day without events)", folder, [Days(EMPTY, EMPTY)])
    runs = [Days(first, min(first + timedelta(DAYS_A_RUN - 1), period.last)) for first in list(period)[::DAYS_A_RUN]]
    report("marts, all days", folder, runs, start)
    report("marts, last 3 days", folder, [Days(period.last - timedelta(2), period.last)], start)
    with duckdb.connect(str(marts), read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT send_date) FROM fct_message_funnel").fetchone()
    assert found == (sent, days), f"fct_message_funnel holds {found}, not {sent} messages of {days} days"
    if experiments:
        with timed("judged"):
            judge(org, lake, Days(period.last, period.last), starts={"t": period.first})


def build_tables(lake: Lake, org: Org, period: Days) -> int:
    """What the marts read, built by the code of the assets; the rows of message_outcomes."""
    steps: dict[Table, Callable[[Org, Lake, Days], list[DayReport]]] = {
        MESSAGE_OUTCOMES: build_message_outcomes,
        COPY_DAILY: build_copy_daily,
        ATTRIBUTION_METRICS: build_metrics,
    }
    rows = {}
    for table, step in steps.items():
        rows[table] = lake.counts(org.slug, table, period)
        if not all(rows[table].values()):
            with timed(f"{table.name}, all days"):
                step(org, lake, period)
            rows[table] = lake.counts(org.slug, table, period)
        assert all(rows[table].values()), f"{table.name} has a day without rows"
        print(f"{table.name}: {sum(rows[table].values()):,} rows", flush=True)
    return sum(rows[MESSAGE_OUTCOMES].values())


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what the body took."""
    began, before = time.monotonic(), time.process_time()
    yield
    seconds, processor = time.monotonic() - began, time.process_time() - before
    print(f"{what}: {seconds:.1f} s; {processor:.1f} s of processor; {machine()}", flush=True)


def report(what: str, folder: Path, runs: list[Days], start: float = 0) -> float:
    """Run dbt as production does, and print what it took; the seconds of a run."""
    taken = [dbt(folder, one) for one in runs]
    seconds = sum(one.seconds for one in taken)
    beyond = f"; {seconds - start * len(runs):.1f} s on top of dbt's start" if start else ""
    processor = sum(one.processor for one in taken)
    print(
        f"{what}: {seconds:.1f} s in {len(runs)} run(s){beyond}; {processor:.1f} s of processor;"
        f" peak {max(one.peak for one in taken) / 2**20:.2f} GiB; {machine()}",
        flush=True,
    )
    return seconds / len(runs)


@dataclass(frozen=True)
class Taken:
    """Wall and processor seconds of a run of dbt, and the peak of its resident memory in KiB."""

    seconds: float
    processor: float
    peak: int


def dbt(folder: Path, days: Days) -> Taken:
    """Build the models and run their tests for some days; what that took."""
    place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(folder / "target")]
    given = json.dumps({"from_date": str(days.first), "to_date": str(days.last)})
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "build", "--exclude-resource-type", "unit_test"]
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        [*command, "--vars", given, *place, "--log-path", str(folder / "logs")]
    )
    # Of this child alone: RUSAGE_CHILDREN would give the largest of all so far.
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"dbt build of {days} failed")
    return Taken(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss)


def machine() -> str:
    """Cores and load average, to be printed beside a figure."""
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load}"


def make_day(lake: Lake, day: date, events: int) -> None:
    """65 % sends, 26 % opens, 6 % clicks, 3 % purchases."""
    luck = np.random.default_rng(day.toordinal())
    sends = int(events * 0.65)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    people = luck.integers(0, sends * 3, sends)
    sent = pl.DataFrame({"n": np.arange(sends), "s": luck.integers(0, 60_000_000_000, sends), "p": people})
    sent = sent.with_columns(
        pl.lit("emailSend").alias("event_name"),
        pl.format("{}{}", pl.lit(f"{day:%Y%m%d}"), pl.col("n").cast(pl.String).str.zfill(24)).alias("message_id"),
        pl.when(pl.col("n") % 10 == 0).then(pl.lit("2")).otherwise(pl.lit("1")).alias("template_id"),
        (pl.lit(at) + pl.duration(microseconds="s")).alias("event_timestamp"),
    )
    later = pl.duration(minutes=pl.col("n") % 400 + 1)
    parts = [sent]
    for name, share in (("emailOpen", 0.4), ("emailClick", 0.09)):
        parts.append(sent.head(int(sends * share)).with_columns(
            pl.lit(name).alias("event_name"), (pl.col("event_timestamp") + later)))  # fmt: skip
    engagement = pl.concat(parts).with_row_index("row")
    nothing = pl.lit(None)
    made = {
        "event_id": pl.format("{}-{}", pl.lit(str(day)), "row"),
        "raw_event_name": pl.col("event_name"),
        "received_at": pl.col("event_timestamp"),
        "campaign_id": pl.lit("9"),
        "is_machine": pl.col("n") % 7 == 0,
        "email_key": pl.col("p").cast(pl.String).str.zfill(32),
        "door": pl.lit("iterable_webhooks"),
        "source_file": pl.lit(f"{day}.jsonl"),
        "event_date": pl.lit(day),
        "is_attributed": pl.lit(value=True),
        "window_hours": pl.lit(24),
        **dict.fromkeys(("user_key", "source_row", "copy_id", "reason", "is_authenticated"), nothing),
    }
    bought = (
        sent.head(int(sends * 0.045))
        .with_row_index("row")
        .with_columns(
            pl.lit("purchase").alias("event_name"),
            pl.col("event_timestamp").alias("send_timestamp"),
            (pl.col("event_timestamp") + later),
        )
    )
    keep(lake, ESP_EVENTS, day, shaped(engagement, ESP_EVENTS, made))
    keep(lake, ATTRIBUTED_EVENTS, day, shaped(bought, ATTRIBUTED_EVENTS, made))
    one = Days(day, day)
    rows = unify_day(lake.scan("bench", ESP_EVENTS, one), lake.scan("bench", ATTRIBUTED_EVENTS, one))
    keep(lake, UNIFIED_EVENTS, day, rows.collect())


def shaped(frame: pl.DataFrame, table: Table, made: dict[str, pl.Expr]) -> pl.DataFrame:
    """The columns of a table, out of the frame or made; rows of another day than their event_date are left out."""
    return frame.select(
        (pl.col(name) if name in frame.columns else made[name]).cast(dtype).alias(name)
        for name, dtype in table.schema.items()
    ).filter(pl.col("event_timestamp").dt.date() == pl.col("event_date"))


def keep(lake: Lake, table: Table, day: date, frame: pl.DataFrame) -> None:
    """Replace one day of a table."""
    with lake.replacing("bench", table, Days(day, day)) as writer:
        writer.write(day, frame)


if __name__ == "__main__":
    main()
