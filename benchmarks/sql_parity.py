"""One large dataset through the engine, DuckDB and local Spark: equal rows, and what each takes beside the others.

Run with `python -m benchmarks.sql_parity [events] [--no-spark]`. Times include reading and writing
Parquet; Spark is also given without the start of its session.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import polars as pl

from justai_assets.attribution.file_attribution import attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets.contract.tables import UNIFIED_EVENTS

RULE = Rule(windows={"purchase": 72})
NAMES = UNIFIED_EVENTS.schema.names()


def make(folder: Path, events: int) -> None:
    """Four days of engagement (three quarters of the events) and custom events of a twentieth as many people."""
    random = np.random.default_rng(7)
    start = int(datetime(2026, 3, 6, tzinfo=UTC).timestamp()) * 1_000_000
    for name, count, kinds in (
        ("esp", events * 3 // 4, ["emailSend", "emailOpen", "emailClick"]),
        ("custom", events // 4, ["purchase", "signup"]),
    ):
        frame = pl.DataFrame(
            {
                "event_name": random.choice(kinds, count),
                "event_timestamp": start + random.integers(0, 4 * 86_400, count) * 1_000_000,
                "user_id": random.integers(0, events // 20, count),
                "message_id": random.integers(0, events, count),
                "template_id": random.integers(500, 520, count),
                "campaign_id": random.integers(9000, 9005, count),
            }
        ).with_columns(
            pl.col("event_timestamp").cast(pl.Datetime("us", "UTC")),
            pl.col("user_id", "message_id", "template_id", "campaign_id").cast(pl.String),
        )
        (folder / name).mkdir()
        columns = frame.columns if name == "esp" else ["event_name", "event_timestamp", "user_id"]
        frame.select(columns).write_parquet(folder / name / "part.parquet")


def by_engine(folder: Path) -> pl.DataFrame:
    """`justai attribute`."""
    summary = attribute_files(str(folder / "esp"), str(folder / "custom"), folder / "engine", RULE)
    return pl.concat([pl.read_parquet(folder / "engine" / file, hive_partitioning=False) for file in summary.files])


def by_duckdb(folder: Path) -> pl.DataFrame:
    """The rendered query, read from and written to Parquet."""
    inputs = Inputs("esp", "custom")
    query = rule_query(RULE, inputs, "duckdb", is_zoned=True).sql("duckdb")
    with duckdb.connect() as connection:
        for name in ("esp", "custom"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/{name}/*.parquet')")  # noqa: S608 - our own folder
        connection.execute(f"COPY ({query}) TO '{folder}/duckdb.parquet'")
    return pl.read_parquet(folder / "duckdb.parquet")


def by_spark(folder: Path) -> pl.DataFrame:
    """The rendered query on local Spark."""
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.driver.memory", "2g")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    begun = time.perf_counter()
    for name in ("esp", "custom"):
        spark.read.parquet(str(folder / name)).createOrReplaceTempView(name)
    query = rule_query(RULE, Inputs("esp", "custom"), "databricks").sql("databricks")
    spark.sql(query).write.option("parquet.outputTimestampType", "TIMESTAMP_MICROS").parquet(str(folder / "spark"))
    print(f"spark without its start  {time.perf_counter() - begun:6.1f} s")
    spark.stop()
    return pl.read_parquet(folder / "spark/*.parquet")


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows by value, with naive UTC times."""
    return frame.select(NAMES).with_columns(pl.col("event_timestamp").cast(pl.Datetime("us"))).sort(NAMES)


def main(events: int, *, has_spark: bool) -> None:
    """Make, run, compare, print."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, events)
        results = {}
        for who in (by_engine, by_duckdb, *((by_spark,) if has_spark else ())):
            begun = time.perf_counter()
            results[who.__name__] = ordered(who(folder))
            print(f"{who.__name__:<24} {time.perf_counter() - begun:6.1f} s  {len(results[who.__name__]):,} rows")
        for who, rows in results.items():
            assert rows.equals(results["by_engine"]), who
        print("equal rows")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    main(numbers[0] if numbers else 1_000_000, has_spark="--no-spark" not in sys.argv)
