from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect
from justai_assets.attribution.sql.script import Form, Target, script, statements
from justai_assets.contract.days import Days
from justai_assets.dag.databricks.local_job import JVM
from justai_assets.landing.drop_place import DropPlace
from justai_assets_tests.attribution.events import DAY, MIDNIGHT, custom_file, esp_file, rules
from justai_assets_tests.attribution.oracle import rows_of
from justai_assets_tests.parity.batches import Batch, batches, contract, timed, unified_by_engine

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

DIALECT: Dialect = "databricks"
PLACE = DropPlace("bucket", "databricks/acme")
INPUTS = Inputs("esp", "custom")
DAYLIGHT_SAVING_ZONE = "America/New_York"
"""Its clocks change on 2026-03-08, inside the events' week: what is printed must not depend on the session."""


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with TemporaryDirectory() as folder:
        session = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.sql.session.timeZone", DAYLIGHT_SAVING_ZONE)
            .config("spark.sql.warehouse.dir", folder)
            .config("spark.driver.memory", "1g")
            .config("spark.driver.extraJavaOptions", JVM)
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


def land(spark: Any, folder: Path, batch: Batch, *, is_zoned: bool) -> None:
    """The batch as the customer's two tables."""
    for name, frame in zip(("esp", "custom"), batch, strict=True):
        path = folder / name / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        timed(frame, is_zoned=is_zoned).write_parquet(path)
        spark.sql(f"DROP TABLE IF EXISTS {name}")
        spark.sql(f"CREATE TABLE {name} USING PARQUET LOCATION '{path.parent}'")


def run(spark: Any, folder: Path, rule: Rule, form: Form, span: Span | None = None, *, is_zoned: bool = True) -> None:
    """What `justai sql` prints, statement by statement; only the bucket and the catalog are this machine's."""
    for statement in statements(rule, INPUTS, DIALECT, form, Target(PLACE), span or Span(), is_zoned=is_zoned):
        spark.sql(here(statement, folder))


def here(statement: str, folder: Path) -> str:
    return statement.replace(PLACE.url, str(folder / "out")).replace("main.justai", "default")


def exported(folder: Path) -> pl.DataFrame:
    found = sorted((folder / "out").glob("event_date=*/*.parquet"))
    frames = [
        pl.read_parquet(file, hive_partitioning=False).with_columns(
            event_date=pl.lit(file.parent.name.removeprefix("event_date=")).str.to_date()
        )
        for file in found
    ]
    return contract(pl.concat(frames)) if frames else pl.DataFrame()


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(batch=batches, rule=rules)
@pytest.mark.parametrize("is_zoned", [True, False])
def test_the_printed_export_gives_the_rows_of_the_engine_on_spark(
    spark: Any, is_zoned: bool, batch: Batch, rule: Rule
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        land(spark, folder, batch, is_zoned=is_zoned)
        spark.sql("DROP TABLE IF EXISTS unified_export")
        run(spark, folder, rule, "export", is_zoned=is_zoned)
        found, expected = exported(folder), unified_by_engine(*batch, rule)
        assert rows_of(found) == rows_of(expected)


def test_exporting_days_again_replaces_them_and_no_other(spark: Any, tmp_path: Path) -> None:
    def sends(message: str) -> Batch:
        return esp_file(
            [
                {"event_name": "emailSend", "event_timestamp": MIDNIGHT + timedelta(days=day), "message_id": message}
                for day in range(3)
            ]
        ), custom_file([])

    spark.sql("DROP TABLE IF EXISTS unified_export")
    land(spark, tmp_path, sends("first"), is_zoned=True)
    run(spark, tmp_path, Rule(), "export")
    land(spark, tmp_path, sends("again"), is_zoned=True)
    again = DAY + timedelta(days=1)
    run(spark, tmp_path, Rule(), "export", Span(Days(again, again)))
    run(spark, tmp_path, Rule(), "export", Span(Days(again, again)))
    days = exported(tmp_path).sort("event_date").select("event_date", "message_id").rows()
    assert days == [(DAY, "first"), (again, "again"), (DAY + timedelta(days=2), "first")]


@pytest.mark.parametrize("form", ["export", "pyspark"])
@pytest.mark.parametrize("is_zoned", [True, False])
def test_a_day_of_the_range_that_became_empty_is_emptied_whatever_the_overwrite_mode(
    spark: Any, tmp_path: Path, form: Form, is_zoned: bool
) -> None:
    days = Days(DAY, DAY + timedelta(days=2))

    def sends(*offsets: int) -> Batch:
        rows = [
            {"event_name": "emailSend", "event_timestamp": MIDNIGHT + timedelta(days=day, hours=23), "message_id": "m"}
            for day in offsets
        ]
        return esp_file(rows), custom_file([])

    def export() -> list[date]:
        if form == "export":
            run(spark, tmp_path, Rule(), form, Span(days), is_zoned=is_zoned)
        else:
            text = script("acme", Rule(), INPUTS, DIALECT, form, Target(PLACE), Span(days), is_zoned=is_zoned)
            exec(compile(here(text, tmp_path), "script", "exec"), {})
        return sorted(exported(tmp_path)["event_date"])

    spark.sql("DROP TABLE IF EXISTS unified_export")
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "static")
    land(spark, tmp_path, sends(-1, 0, 1, 2, 3), is_zoned=is_zoned)
    run(
        spark,
        tmp_path,
        Rule(),
        "export",
        Span(Days(DAY - timedelta(days=1), DAY + timedelta(days=3))),
        is_zoned=is_zoned,
    )
    assert export() == [DAY + timedelta(days=day) for day in (-1, 0, 1, 2, 3)]
    land(spark, tmp_path, sends(0, 2), is_zoned=is_zoned)
    assert export() == [DAY + timedelta(days=day) for day in (-1, 0, 2, 3)]


def test_custom_events_are_exported_as_they_are(spark: Any, tmp_path: Path) -> None:
    bought = {"event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=1), "user_id": "jane"}
    land(spark, tmp_path, (esp_file([]), custom_file([bought, bought])), is_zoned=True)
    spark.sql("DROP TABLE IF EXISTS custom_export")
    inputs = Inputs("esp", "custom", {}, {"user_id_or_email": "user_id"})
    how: dict[str, Any] = {"content": "custom_events"}
    for statement in statements(Rule(), inputs, DIALECT, "export", Target(PLACE), Span(Days(DAY, DAY)), **how):
        spark.sql(here(statement, tmp_path))
    rows = spark.sql("SELECT event_name, event_date, user_id_or_email FROM custom_export").collect()
    assert [tuple(row) for row in rows] == [("purchase", DAY, "jane")] * 2


def test_the_shared_view_gives_the_contract(spark: Any, tmp_path: Path) -> None:
    late = MIDNIGHT + timedelta(hours=23)
    send = {"event_name": "emailSend", "event_timestamp": late, "message_id": "m", "user_id": "u"}
    land(spark, tmp_path, (esp_file([send]), custom_file([{**send, "event_name": "purchase"}] * 2)), is_zoned=True)
    (view,) = [
        statement
        for statement in statements(Rule(), INPUTS, DIALECT, "share", Target(PLACE, version=2), Span())
        if statement.startswith("CREATE OR REPLACE VIEW")
    ]
    spark.sql(view.replace("main.justai.", ""))
    rows = spark.sql("SELECT event_name, event_date, message_id FROM unified_events_v2 ORDER BY event_name").collect()
    assert [tuple(row) for row in rows] == [("emailSend", DAY, "m"), ("purchase", DAY, "m"), ("purchase", DAY, "m")]
