"""The job in a Spark of this process: every event gets what looking at every row gives, whatever the session's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from justai_assets.attribution.day import attribute_day
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.dag.databricks.local import JVM
from justai_assets.lake.schema import delta_types
from justai_assets.spark import job
from justai_assets.spark.task import Source, Target, Task, TaskError
from justai_assets_tests.attribution.events import DAY, MIDNIGHT, custom_table, engagement_table
from justai_assets_tests.attribution.oracle import judge

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


def run(spark: Any, folder: Path, table: str, sources: dict[str, Source], columns: dict[str, str]) -> dict[str, Any]:
    """Run the job of two days, through its JSON form; what it reports by day."""
    target = Target(columns, folder=str(folder / "out"))
    task = Task(
        table, FIRST, DAY, sources, target, str(folder / "scratch"), RULE.window_hours, RULE.windows, RULE.send_events
    )
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


@pytest.mark.spark
def test_an_id_that_too_many_share_is_nobodys_and_is_noted(spark: Any, tmp_path: Path) -> None:
    sent = {"event_name": "emailSend", "event_timestamp": MIDNIGHT + timedelta(hours=1), **dict.fromkeys(IDS, "t")}
    bought = {"event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=2)}
    everybodys, few, office = "f" * 32, "e" * 32, "d" * 32
    engagement = [
        *({**sent, "message_id": f"m{n}", "email_key": f"{n:032x}", "user_key": everybodys} for n in range(11)),
        *({**sent, "message_id": f"n{n}", "email_key": f"{n + 100:032x}", "user_key": few} for n in range(10)),
        *({**sent, "message_id": f"o{n}", "email_key": office, "user_key": f"{n + 200:032x}"} for n in range(11)),
        {**sent, "message_id": "nobody", "email_key": None, "user_key": everybodys},
    ]
    custom = [
        {**bought, "email_key": f"{3:032x}", "user_key": None},
        {**bought, "email_key": f"{99:032x}", "user_key": everybodys},
        {**bought, "email_key": None, "user_key": everybodys},
        {**bought, "email_key": None, "user_key": few},
        {**bought, "email_key": office, "user_key": f"{205:032x}"},
    ]
    sources = files(tmp_path, esp_events=engagement_table(engagement), custom_events=custom_table(custom))
    said = run(spark, tmp_path, "attributed_events", sources, delta_types(ATTRIBUTED_EVENTS))
    out = written(tmp_path / "out", ATTRIBUTED_EVENTS.schema).sort("source_row")
    assert out["message_id"].to_list() == ["m3", None, None, "n9", "o5"]
    assert out["reason"].to_list() == [None, "no_send", "no_identity", None, None]
    assert said[DAY.isoformat()]["shared"] == {"email": (1, 11), "user id": (2, 11)}
    assert "shared" not in said[FIRST.isoformat()]
    notes: dict[str, tuple[int, int]] = {}
    chunks = attribute_day(
        engagement_table(engagement).lazy(), custom_table(custom).lazy(), DAY, RULE,
        shared=notes,
    )  # fmt: skip
    assert pl.concat(chunks).sort("source_row").equals(out.select(ATTRIBUTED_EVENTS.schema.names()))
    assert notes == said[DAY.isoformat()]["shared"]
