"""Every type that Spark writes to Parquet: in a column that is read, and in one that is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from justai_assets.dag.databricks.local_job import JVM
from justai_assets.landing.parquet import DropFileError, decoded

AT = datetime(2026, 1, 5, 10, 30, 15, 123456, tzinfo=UTC)
KINDS = {"event_timestamp": "time", "event_name": "text", "template_id": "text", "event_date": "date"}
SOUND = {
    "event_timestamp": "timestamp'2026-01-05 10:30:15.123456Z'", "event_name": "'x'", "template_id": "'501'",
    "event_date": "date'2026-01-05'",
}  # fmt: skip
AS_TEXT = {
    "cast(1 as byte)": "1", "cast(1 as short)": "1", "1": "1", "1L": "1", "cast(1.5 as float)": "1.5", "1.5D": "1.5",
    "cast(1 as decimal(5,2))": "1", "cast(1 as decimal(18,4))": "1", "cast(1 as decimal(38,10))": "1",
    "cast(1.5 as decimal(5,2))": "1.50", "'x'": "x", "cast('x' as binary)": "x", "cast(null as string)": None,
    "cast('x' as char(3))": "x", "double('infinity')": None, "double('NaN')": None,
}  # fmt: skip
"""An expression → what an id of its type reads as."""
TIMES = {
    "timestamp_ntz'2026-01-05 10:30:15.123456'": AT, "timestamp'2026-01-05 05:30:15.123456-05:00'": AT,
    "timestamp_micros(9223372036854775807)": None, "timestamp_micros(-9223372036854775807)": None,
    "timestamp'+10000-01-01 00:00:00Z'": None, "timestamp'-0044-03-15 00:00:00Z'": None,
    "timestamp'+58856-01-01 00:00:00Z'": None, "cast(null as timestamp)": None,
}  # fmt: skip
DATES = {
    "date'-0044-03-15'": None, "date'+10000-01-01'": None, "date'+52026-11-20'": None, "date_from_unix_date(2147483647)": None,
    "date_from_unix_date(-2147483648)": None, "date'9999-12-31'": date(9999, 12, 31), "cast(null as date)": None,
}  # fmt: skip
OTHERS = (
    "true", "interval 3 months", "interval 25 hours", "interval '1-2' year to month", "interval '3 4:05:06' day to second",
    "array(1, 2)", "array(array('x'))", "map('a', 1)", "named_struct('a', 1, 'b', array(named_struct('c', 'x')))",
    "parse_json('{\"a\": 1}')",
)  # fmt: skip


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    settings = {
        "spark.master": "local[1]", "spark.ui.enabled": "false", "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")), "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": JVM, "spark.log.level": "ERROR",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED", "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    }  # fmt: skip
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def written(spark: Any, folder: Path, columns: Mapping[str, str]) -> Path:
    """A file with one row that Spark writes, of expressions; `columns` replace or join the sound ones."""
    chosen = ", ".join(f"{expression} as {name}" for name, expression in {**SOUND, **columns}.items())
    spark.sql(f"select {chosen}").coalesce(1).write.mode("overwrite").parquet(str(folder / "out"))
    (path,) = (folder / "out").glob("*.parquet")
    return path


def read(path: Path, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The row of a file, of columns of some kinds."""
    return decoded(path, "x", kinds, path.with_suffix(".arrow")).scan().collect().row(0, named=True)


def numbered(expressions: Iterable[str]) -> dict[str, str]:
    """Names for expressions that are columns of one file: a job of Spark each would be most of the seconds."""
    return {f"c{number}": expression for number, expression in enumerate(expressions)}


@pytest.fixture(params=["INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS", "legacy"])
def form(spark: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    names = {"spark.sql.parquet.outputTimestampType": "INT96", "spark.sql.parquet.writeLegacyFormat": "true"}
    if request.param != "legacy":
        names = {"spark.sql.parquet.outputTimestampType": request.param}
    for name, value in names.items():
        spark.conf.set(name, value)
    yield request.param
    for name in names:
        spark.conf.unset(name)


@pytest.mark.slow
def test_a_type_of_spark_in_a_column_that_is_not_read_does_not_matter(spark: Any, form: str, tmp_path: Path) -> None:
    found = read(written(spark, tmp_path, numbered((*AS_TEXT, *TIMES, *DATES, *OTHERS))), KINDS)
    moment = AT.replace(microsecond=123000) if form == "TIMESTAMP_MILLIS" else AT
    assert (found["event_timestamp"], found["event_name"], found["template_id"]) == (moment, "x", "501")


@pytest.mark.slow
def test_a_type_of_spark_in_a_column_that_is_read_gives_its_value_or_refuses_the_file(
    spark: Any, form: str, tmp_path: Path
) -> None:
    for kind, expected in (("text", AS_TEXT), ("date", DATES)):
        columns = numbered(expected)
        found = read(written(spark, tmp_path, columns), {**KINDS, **dict.fromkeys(columns, kind)})
        assert {expression: found[name] for name, expression in columns.items()} == expected
    # In a file each: how one is read depends on the times that it holds.
    for expression, moment in TIMES.items():
        found = read(written(spark, tmp_path, {"event_timestamp": expression}), KINDS)
        if form == "TIMESTAMP_MILLIS" and moment and "ntz" not in expression:
            moment = moment.replace(microsecond=123000)
        assert found["event_timestamp"] == moment, expression
    others = numbered(OTHERS)
    path = written(spark, tmp_path, others)
    for column, expression in others.items():
        # Spark writes an interval as an integer: as an id, nothing in the file tells it from one.
        for kind in ("time", "date") if expression.startswith("interval") else set(KINDS.values()):
            with pytest.raises(DropFileError) as caught:
                read(path, {**KINDS, column: kind})
            assert (caught.value.code, caught.value.column) == ("wrong_type", column), expression
