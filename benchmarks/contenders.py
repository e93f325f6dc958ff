"""Who runs in the attribution benchmark. Each reads the same files and writes `out/event_date=…/*.parquet`, zstd.

`python -m benchmarks.contenders NAME ESP CUSTOM FIRST_DAY OUT` runs one in a process of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from justai_assets.attribution.rule import Rule

if TYPE_CHECKING:
    import polars as pl  # when run, each contender loads only what it runs on

_COLUMNS = ("event_name", "event_timestamp", "event_date", "message_id", "template_id", "campaign_id")


def engine(esp: str, custom: str, first: date, out: Path) -> None:
    """`justai attribute`."""
    from justai_assets.attribution.file_attribution import attribute_files

    attribute_files(esp, custom, out, Rule(), first=first)


def copying_floor(esp: str, custom: str, first: date, out: Path) -> None:
    """What no engine that decodes its input can avoid: scan what matching needs, write the pass-through."""
    import polars as pl

    need = (pl.col("user_id").hash().max(), pl.col("event_timestamp").max())
    sends = pl.scan_parquet(esp).filter(pl.col("event_name").is_in(Rule().send_events))
    sends.select(need).collect(engine="streaming")
    pl.scan_parquet(custom).select(need).collect(engine="streaming")
    _sink(pl.scan_parquet(esp).filter(_on(first)).with_columns(_day()).select(_COLUMNS), out)


def polars_asof(esp: str, custom: str, first: date, out: Path) -> None:
    """Polars `join_asof` by the user's hash."""
    import polars as pl

    user = pl.col("user_id").hash().alias("user")
    when = pl.col("event_timestamp")
    sends = (
        pl.scan_parquet(esp)
        .filter(pl.col("event_name").is_in(Rule().send_events))
        .select(user, when.alias("send_ts"), "message_id", "template_id", "campaign_id")
        .sort("send_ts")
    )
    attributed = (
        pl.scan_parquet(custom)
        .filter(_on(first))
        .select(user, "event_name", when)
        .sort("event_timestamp")
        .join_asof(sends, left_on="event_timestamp", right_on="send_ts", by="user", coalesce=False,
                   check_sortedness=False)
        .filter(pl.col("send_ts") > when - pl.duration(hours=24))
    )  # fmt: skip
    passed = pl.scan_parquet(esp).filter(_on(first))
    _sink(pl.concat([frame.with_columns(_day()).select(_COLUMNS) for frame in (passed, attributed)]), out)


def duckdb_asof(esp: str, custom: str, first: date, out: Path) -> None:
    """DuckDB's ASOF JOIN."""
    sends = ", ".join(f"'{name}'" for name in Rule().send_events)
    _duckdb(
        f"""
        SELECT event_name, event_timestamp, CAST(event_timestamp AS DATE) AS event_date, message_id, template_id,
               campaign_id
        FROM '{esp}' WHERE event_timestamp >= '{first} 00:00:00+00'
        UNION ALL
        SELECT c.event_name, c.event_timestamp, CAST(c.event_timestamp AS DATE), s.message_id, s.template_id,
               s.campaign_id
        FROM (FROM '{custom}' WHERE event_timestamp >= '{first} 00:00:00+00') c
        ASOF JOIN (FROM '{esp}' WHERE event_name IN ({sends})) s
          ON c.user_id = s.user_id AND c.event_timestamp >= s.event_timestamp
        WHERE s.event_timestamp > c.event_timestamp - INTERVAL 24 HOURS
        """,  # noqa: S608 - paths and names of our own
        out,
    )


def documented_sql(esp: str, custom: str, first: date, out: Path) -> None:
    """The SQL of the product documentation (ROW_NUMBER over a range join) in DuckDB."""
    from benchmarks.documented_sql import documented_sql as sql

    wanted = f"event_timestamp >= '{first} 00:00:00+00'"
    _duckdb(sql(Rule(), esp=f"'{esp}'", custom=f"'{custom}'", wanted=wanted), out)


def pandas_asof(esp: str, custom: str, first: date, out: Path) -> None:
    """Pandas `merge_asof`, on Arrow strings."""
    import pandas as pd
    import pyarrow.dataset as ds

    def read(pattern: str) -> pd.DataFrame:
        files = [str(path) for path in sorted(Path(pattern).parent.glob(Path(pattern).name))]
        return ds.dataset(files).to_table().to_pandas(types_mapper=pd.ArrowDtype).assign(
            event_timestamp=lambda frame: frame["event_timestamp"].astype("datetime64[us, UTC]"),
            user_id=lambda frame: frame["user_id"].astype(str),
        )  # fmt: skip

    start = pd.Timestamp(first, tz="UTC")
    engagement, events = read(esp), read(custom)
    sends = engagement[engagement["event_name"].isin(Rule().send_events)].drop(columns="event_name")
    matched = pd.merge_asof(
        events[events["event_timestamp"] >= start].sort_values("event_timestamp"),
        sends.rename(columns={"event_timestamp": "send_ts"}).sort_values("send_ts"),
        left_on="event_timestamp", right_on="send_ts", by="user_id",
    )  # fmt: skip
    matched = matched[matched["send_ts"] > matched["event_timestamp"] - pd.Timedelta(hours=24)]
    both = pd.concat([engagement[engagement["event_timestamp"] >= start], matched])
    both["event_date"] = both["event_timestamp"].dt.date
    both[list(_COLUMNS)].to_parquet(out, partition_cols=["event_date"], compression="zstd", index=False)


def pyspark_sql(esp: str, custom: str, first: date, out: Path) -> None:
    """The SQL of the product documentation in Spark, on this machine."""
    from pyspark.sql import SparkSession

    from benchmarks.documented_sql import documented_sql as sql

    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "8g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.ui.enabled", value=False)
        .getOrCreate()
    )
    spark.read.parquet(esp).createOrReplaceTempView("esp")
    spark.read.parquet(custom).createOrReplaceTempView("custom")
    wanted = f"event_timestamp >= TIMESTAMP '{first} 00:00:00'"
    spark.sql(sql(Rule(), wanted=wanted, dialect="spark")).write.partitionBy("event_date").parquet(str(out))
    spark.stop()


Contender = Callable[[str, str, date, Path], None]
CONTENDERS: Final[dict[str, Contender]] = {
    run.__name__: run
    for run in (engine, copying_floor, duckdb_asof, documented_sql, polars_asof, pandas_asof, pyspark_sql)
}
FLOOR: Final = "copying_floor"
"""Writes less than the others: no attributed event."""


def _on(first: date) -> pl.Expr:
    import polars as pl

    return pl.col("event_timestamp") >= pl.lit(first).cast(pl.Datetime("us", "UTC"))


def _day() -> pl.Expr:
    import polars as pl

    return pl.col("event_timestamp").dt.date().alias("event_date")


def _sink(frame: pl.LazyFrame, out: Path) -> None:
    import polars as pl

    frame.sink_parquet(pl.PartitionBy(out, key="event_date", include_key=True), mkdir=True, engine="streaming")


def _duckdb(query: str, out: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (event_date))")


if __name__ == "__main__":
    name, esp, custom, first, out = sys.argv[1:]
    CONTENDERS[name](esp, custom, date.fromisoformat(first), Path(out))
    sys.stdout.flush()
    os._exit(0)  # the output is written; pyarrow's reader threads can abort an interpreter that is shutting down
