"""Where a job's rows come from and go to: Delta read and replaced by Spark itself, or Parquet that others commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from justai_assets.attribution.spark.task import Source, Target, Task

DataFrame = Any
"""A `pyspark.sql.DataFrame`, of either kind (classic or Connect)."""


class Tables(Protocol):
    """Reads days of the sources and replaces days of the target."""

    def read(self, name: str, first: date, last: date) -> DataFrame:
        """Rows of a source's days, with its columns, by name and type."""
        ...

    def replace(self, frame: DataFrame) -> DataFrame:
        """Put the rows in place of the task's days; what then lies there, read again."""
        ...


class DeltaTables:
    """Delta tables, read and written by Spark, as on Databricks.

    A write is an overwrite with `replaceWhere` over the task's days: one commit, which fails when a row lies outside
    them. A job that runs twice leaves the rows of one.
    """

    def __init__(self, spark: Any, task: Task) -> None:
        self._spark = spark
        self._task = task

    def read(self, name: str, first: date, last: date) -> DataFrame:
        """See `Tables`. A column that an old table does not have yet is null."""
        source = self._task.sources[name]
        frame = self._spark.read.format("delta").option("versionAsOf", source.version).load(source.delta)
        return _typed(frame.where(_between(first, last)), source.columns)

    def replace(self, frame: DataFrame) -> DataFrame:
        """See `Tables`."""
        target = self._task.target
        rows = _typed(frame, target.columns).hint("rebalance", "event_date")
        (
            rows.write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", _between(self._task.lo, self._task.hi))
            .option("userMetadata", json.dumps({**self._task.note, "days": f"{self._task.lo} … {self._task.hi}"}))
            .save(target.delta)
        )
        return self._spark.read.format("delta").load(target.delta).where(_between(self._task.lo, self._task.hi))


class ParquetFiles:
    """Parquet in and out, for a Spark without Delta: a process beside it lists the files and commits the result."""

    def __init__(self, spark: Any, task: Task) -> None:
        self._spark = spark
        self._task = task

    def read(self, name: str, first: date, last: date) -> DataFrame:
        """See `Tables`. The files lack event_date; by contract it is the UTC date of event_timestamp."""
        from pyspark.sql import functions as F

        source: Source = self._task.sources[name]
        schema = ", ".join(f"`{column}` {kind}" for column, kind in source.columns.items() if column != "event_date")
        if source.files:
            # Recursive lookup: no partition values are read out of the paths.
            reader = self._spark.read.schema(schema).option("recursiveFileLookup", "true")
            frame = reader.parquet(*source.files)
        else:
            frame = self._spark.createDataFrame([], schema)
        day = F.expr("DATE_FROM_UNIX_DATE(CAST(UNIX_MICROS(event_timestamp) DIV 86400000000 AS INT))")
        return _typed(frame.withColumn("event_date", day).where(_between(first, last)), source.columns)

    def replace(self, frame: DataFrame) -> DataFrame:
        """See `Tables`."""
        target: Target = self._task.target
        # Spark's default is a timestamp of 96 bits, without a zone and with no bounds in the footer.
        self._spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        # As it comes, lightly packed: whoever commits the rows writes files of the right size.
        writer = _typed(frame, target.columns).write.mode("overwrite").partitionBy("event_date")
        writer.option("compression", "snappy").parquet(target.folder)
        schema = ", ".join(f"`{column}` {kind}" for column, kind in target.columns.items())
        return self._spark.read.schema(schema).option("basePath", target.folder).parquet(target.folder)


def tables_of(spark: Any, task: Task) -> Tables:
    """Delta where the target is a Delta table, else Parquet."""
    return DeltaTables(spark, task) if task.target.delta else ParquetFiles(spark, task)


class Scratch:
    """Intermediate results as Parquet: a plan that is used twice or grows in a loop is computed once.

    Not `persist` or `checkpoint`, which serverless compute refuses.
    """

    def __init__(self, spark: Any, folder: str) -> None:
        self._spark = spark
        self._folder = folder
        self._count = 0

    def cut(self, frame: DataFrame) -> DataFrame:
        """The same rows, from files."""
        self._count += 1
        path = f"{self._folder}/{self._count:04d}"
        frame.write.mode("overwrite").parquet(path)
        return self._spark.read.schema(frame.schema).parquet(path)


def _between(first: date, last: date) -> str:
    return f"event_date >= DATE'{first}' AND event_date <= DATE'{last}'"


def _typed(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    from pyspark.sql import functions as F

    have = set(frame.columns)
    return frame.select(
        [(F.col(name) if name in have else F.lit(None)).cast(kind).alias(name) for name, kind in columns.items()]
    )
