"""The job in a Spark of this process: every event gets what looking at every row gives, whatever the session's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from justai_assets.attribution import rule as rule_module
from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.spark import job
from justai_assets.attribution.spark.task import Source, Target, Task, TaskError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.dag.databricks.local_job import JVM
from justai_assets.lake.delta_schema import delta_types
from justai_assets_tests.attribution.events import DAY, MIDNIGHT, custom_table, engagement_table
from justai_assets_tests.attribution.oracle import judge
from justai_assets_tests.parity import conformance
from justai_assets_tests.parity.test_conformance import SMALLEST, TIE_NAME

IDS = ("message_id", "template_id", "campaign_id")
TEXTS = ["a", "b", "B", "aa", "é", "", None]
KEYS = [*(f"{number:032x}" for number in range(60)), *[None] * 12]
RULE = Rule(window_hours=24, windows={"purchase": 72, 'it\'s "quoted"': 1})
FIRST = DAY - timedelta(days=1)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        # Its clocks change inside the events' week.
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.warehouse.dir": str(folder),
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": JVM,
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def some(luck: Random, rows: int, hours: range, **columns: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "event_timestamp": MIDNIGHT + timedelta(hours=luck.choice(hours), microseconds=luck.choice((0, 0, -1, 1))),
            **{name: luck.choice(values) for name, values in columns.items()},
        }
        for _ in range(rows)
    ]


def files(folder: Path, **frames: pl.DataFrame) -> dict[str, Source]:
    """The frames as live files of the tables, without event_date."""
    tables = {"esp_events": ESP_EVENTS, "custom_events": CUSTOM_EVENTS, "attributed_events": ATTRIBUTED_EVENTS}
    sources = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        frame.drop("event_date").write_parquet(path)
        sources[name] = Source(delta_types(tables[name]), files=(str(path),))
    return sources


def written(folder: Path, schema: pl.Schema) -> pl.DataFrame:
    """What the job wrote, days from the names of the folders."""
    frames = [
        pl.read_parquet(path, hive_partitioning=False)
        .with_columns(event_date=pl.lit(path.parent.name.removeprefix("event_date=")).str.to_date())
        .select(schema.names())
        for path in sorted(folder.glob("event_date=*/*.parquet"))
    ]
    found = pl.concat([schema.to_frame(), *frames])
    assert found.schema == schema
    return found


def run(
    spark: Any, folder: Path, table: str, sources: dict[str, Source], columns: dict[str, str],
    *, rule: Rule = RULE, first: date = FIRST, last: date = DAY,
) -> dict[str, Any]:  # fmt: skip
    """Run the job of some days, through its JSON form; what it reports by day."""
    target = Target(columns, folder=str(folder / "out"))
    task = Task(table, first, last, sources, target, str(folder / "scratch"), **rule.as_data())
    said: list[dict[str, Any]] = []
    job.run(spark, Task.of(task.extras()), said.append)
    return {one["day"]: one for one in said}


@pytest.mark.spark
@pytest.mark.slow
def test_every_event_gets_the_send_and_the_reason_that_looking_at_every_row_gives(spark: Any, tmp_path: Path) -> None:
    luck = Random(5)
    ids = dict.fromkeys(IDS, TEXTS)
    keys = {"email_key": KEYS, "user_key": KEYS}
    names = ["emailSend", "emailSend", "smsSend", "emailOpen"]
    engagement = some(luck, 300, range(-96 + 6, 24, 6), event_name=names, **ids, **keys)
    # A chain long enough that contraction needs several rounds.
    chain = [(f"{n + 1000:032x}", f"{n + 1000 + step:032x}") for n in range(40) for step in (0, 1)]
    opened = {"event_name": "emailOpen", "event_timestamp": MIDNIGHT, **dict.fromkeys(IDS)}
    engagement += [{**opened, "email_key": email, "user_key": user} for email, user in chain]
    engagement.append(
        {**opened, "event_name": "emailSend", "email_key": f"{1000:032x}", "message_id": "chained", "user_key": None}
    )
    custom = some(luck, 200, range(-18, 24, 6), event_name=["purchase", 'it\'s "quoted"', "other"], **keys)
    custom.append(
        {
            "event_name": "purchase",
            "event_timestamp": MIDNIGHT + timedelta(hours=5),
            "email_key": None,
            "user_key": f"{1040:032x}",
        }
    )
    sources = files(tmp_path, esp_events=engagement_table(engagement), custom_events=custom_table(custom))
    said = run(spark, tmp_path, "attributed_events", sources, delta_types(ATTRIBUTED_EVENTS))

    out = written(tmp_path / "out", ATTRIBUTED_EVENTS.schema).sort("source_row")
    assert out["source_row"].to_list() == list(range(len(custom))), "every custom event exactly once"
    for row, event in zip(out.iter_rows(named=True), custom, strict=True):
        day: date = event["event_timestamp"].date()
        near = [one for one in engagement if day - timedelta(days=3) <= one["event_timestamp"].date() <= day]
        verdict = judge(event, near, RULE)
        assert (row["send_timestamp"], *(row[name] for name in IDS)) == (verdict.send or (None,) * 4)
        found = (row["window_hours"], row["is_attributed"], row["reason"])
        assert found == (verdict.window_hours, verdict.is_attributed, verdict.reason)
        assert {name: row[name] for name in event} == event, "the event's own columns are untouched"
        assert row["copy_id"] == f"copy{row['source_row']}"
    assert out["message_id"].to_list()[-1] == "chained"
    for day, one in said.items():
        of_day = out.filter(pl.col("event_date") == date.fromisoformat(day))
        reasons = dict(of_day.group_by("reason").len().iter_rows())
        assert one == {"day": day, "rows": of_day.height, "attributed": reasons.pop(None, 0), "reasons": reasons}


@pytest.mark.spark
def test_the_unified_stream_of_days_without_anything_is_empty_and_reported(spark: Any, tmp_path: Path) -> None:
    sources = {
        "esp_events": Source(delta_types(ESP_EVENTS)),
        "attributed_events": Source(delta_types(ATTRIBUTED_EVENTS)),
    }
    said = run(spark, tmp_path, "unified_events", sources, delta_types(UNIFIED_EVENTS))
    nothing = {"rows": 0, "attributed": 0, "reasons": {}}
    assert said == {str(day): {"day": str(day), **nothing} for day in (FIRST, DAY)}
    assert written(tmp_path / "out", UNIFIED_EVENTS.schema).is_empty()


def test_a_task_of_another_protocol_is_refused_with_its_mend() -> None:
    task = Task("unified_events", FIRST, DAY, {}, Target({}), "")
    with pytest.raises(TaskError, match="build and upload it anew"):
        Task.of({**task.extras(), "protocol": 0})


def attributed(spark: Any, folder: Path, rule: Rule) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The cases of the conformance suite, through the job."""
    engagement, custom = conformance.tables()
    sources = files(folder, esp_events=engagement, custom_events=custom)
    columns = delta_types(ATTRIBUTED_EVENTS)
    first, *_, last = conformance.days()
    said = run(spark, folder, "attributed_events", sources, columns, rule=rule, first=first, last=last)
    return written(folder / "out", ATTRIBUTED_EVENTS.schema), said


@pytest.mark.spark
def test_spark_says_of_every_case_what_the_rule_says_and_notes_shared_ids(spark: Any, tmp_path: Path) -> None:
    out, said = attributed(spark, tmp_path, conformance.RULE)
    assert conformance.outcomes(out) == conformance.expected(conformance.CASES)
    engagement, custom = conformance.tables()
    for day in conformance.days():
        notes: dict[str, tuple[int, int]] = {}
        chunks = attribute_day(engagement.lazy(), custom.lazy(), day, conformance.RULE, shared=notes)
        by_engine = pl.concat(chunks).sort("source_row")
        assert by_engine.equals(out.filter(pl.col("event_date") == day).select(by_engine.columns).sort("source_row"))
        assert notes == said[day.isoformat()].get("shared", {})
    assert sum("shared" in one for one in said.values()) == 2 * (1 + LOOKBACK_DAYS)


@pytest.mark.spark
def test_another_tie_break_in_the_rules_file_is_followed_by_spark(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_module, "TIE_BREAK", SMALLEST)
    changed = Rule(conformance.RULE.window_hours, conformance.RULE.windows, conformance.RULE.send_events)
    out, _ = attributed(spark, tmp_path, changed)
    assert [outcome for _, _, outcome in conformance.outcomes(out)[TIE_NAME]] == [("a", "t", "c")]
    two_persons = conformance.outcomes(out)["an event of two persons whose sends tie"]
    assert [outcome for _, _, outcome in two_persons] == [("m", "t", "c")]
