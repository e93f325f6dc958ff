"""How long the marts and the experiments take, on a made-up org: `python -m justai_assets_tests.bench.marts --help`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from justai_assets.attribution.unified import unify_day
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, UNIFIED_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.orgs.load import load_org
from justai_assets.orgs.model import Org
from justai_assets.storage import Root

FIRST = date(2026, 1, 1)
PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--events", type=int, default=300_000, help="events a day")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-marts-") as folder:
        bench(Path(folder), chosen.days, chosen.events)


def bench(folder: Path, days: int, events: int) -> None:
    org_file = folder / "orgs" / "bench.yaml"
    org_file.parent.mkdir()
    arms = {"treatment": {"template_id": "1", "campaign_id": "9"}, "control": {"template_id": "2", "campaign_id": "9"}}
    content = {
        "slug": "bench",
        "start_date": FIRST,
        "pseudonym_salt": "env:NONE",
        "engagement": "iterable_webhooks",
        "custom": ["redshift"],
        "sources": {"iterable_webhooks": {}, "redshift": {"content": "custom_events"}},
        "templates": [{"id": "t", "key_metric": "purchase", **arms}],
    }
    org_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    lake = Lake(Root.parse(str(folder / "lake")))
    period = Days(FIRST, FIRST + timedelta(days - 1))
    for day in period:
        make_day(lake, day, events)
    os.environ |= {
        "JUSTAI_LAKE": str(folder / "lake"),
        "JUSTAI_ORGS_DIR": str(folder / "orgs"),
        "JUSTAI_MARTS": str(folder / "marts.duckdb"),
        "PYTHONPATH": str(PROJECT.parent),
    }
    parse, _ = dbt(folder, "parse")
    tests = ("--exclude-resource-type", "unit_test")
    print(f"{days} days × {events:,} events; dbt parse alone {parse:.1f} s")
    seconds, memory = dbt(folder, "build", *tests)
    print(f"marts, all days: {seconds:.1f} s, {seconds / parse:.1f} × dbt's parse, peak {memory / 2**20:.2f} GiB")
    last = f"{{from_date: {period.last - timedelta(2)}, to_date: {period.last}}}"
    seconds, memory = dbt(folder, "build", *tests, "--vars", last)
    print(f"marts, last 3 days: {seconds:.1f} s, {seconds / parse:.1f} × dbt's parse, peak {memory / 2**20:.2f} GiB")

    bench_experiments(lake, load_org(org_file), period)


def bench_experiments(lake: Lake, org: Org, period: Days) -> None:
    """The first judgement counts every day; the next ones only what changed."""
    from justai_assets.metrics.judge import judge

    starts, last = {"t": period.first}, Days(period.last, period.last)
    for label, changed in (
        ("all days", None),
        ("the next time", None),
        ("after a change of the last day", period.last),
    ):
        if changed is not None:
            make_day(lake, changed, 1_000)
        counted: list[date] = []
        began = time.monotonic()
        judge(org, lake, last, starts=starts, keep=True, on_day=counted.append)
        print(f"experiments, {label}: {time.monotonic() - began:.1f} s, {len(counted)} days counted")


def dbt(folder: Path, *arguments: str) -> tuple[float, int]:
    """Seconds, and the peak memory in KiB of the largest process so far."""
    import resource

    place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(folder / "target")]
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", *arguments, *place]
    subprocess.run([*command, "--log-path", str(folder / "logs")], check=True)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


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
    return frame.select(
        (pl.col(name) if name in frame.columns else made[name]).cast(dtype).alias(name)
        for name, dtype in table.schema.items()
    ).filter(pl.col("event_timestamp").dt.date() == pl.col("event_date"))


def keep(lake: Lake, table: Table, day: date, frame: pl.DataFrame) -> None:
    with lake.replacing("bench", table, Days(day, day)) as writer:
        writer.write(day, frame)


if __name__ == "__main__":
    main()
