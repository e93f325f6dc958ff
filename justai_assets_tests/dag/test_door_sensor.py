"""The doors' sensors as Dagster evaluates them: events on landing assets, runs for undated records, hints."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import boto3
import dagster as dg
import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import CUSTOM_EVENTS
from justai_assets.dag.headless import materialize_days
from justai_assets.dag.hint_sensor import hint_sensor
from justai_assets.dag.location import location
from justai_assets.dag.resources import Platform
from justai_assets.dag.undated import undated_asset
from justai_assets.landing.hints import read_hints
from justai_assets.landing.rotation import decode
from justai_assets.orgs.load import Orgs
from justai_assets.storage import Root
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
PURCHASE = pl.DataFrame(
    [(datetime.now(UTC) - timedelta(days=1), "signup", "u-1")],
    schema={"event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String},
    orient="row",
)


class Sensors:
    """The sensors of a world's location, with their cursors."""

    def __init__(self, world: World) -> None:
        self.definitions = location(Orgs(world.orgs, {}))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursors: dict[str, str | None] = {}

    def tick(self, name: str, *, is_crash: bool = False) -> dg.SensorResult:
        sensor = self.definitions.get_repository_def().get_sensor_def(name)
        context = dg.build_sensor_context(
            self.instance,
            cursor=self.cursors.get(name),
            definitions=self.definitions,
            sensor_name=name,
            resources={"platform": Platform()},
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        if not is_crash:
            self.cursors[name] = result.cursor
        return result


def names(result: dg.SensorResult) -> list[tuple[str, str | None]]:
    return [("/".join(event.asset_key.path), event.partition) for event in result.asset_events or ()]


@pytest.fixture
def org(any_world: World) -> World:
    sources = {**WEBHOOK_ORG["sources"], "redshift": {"content": "custom_events", "settle_seconds": 0}}
    any_world.add_org(WEBHOOK_ORG, sources=sources)
    return any_world


def test_there_is_one_sensor_for_each_door_kind_that_some_org_has(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org({**WEBHOOK_ORG, "slug": "initech"})
    sensors = [one.name for one in location(Orgs(world.orgs, {})).sensors or ()]
    doors = ["watch_iterable_webhooks", "watch_journey_webhooks", "watch_redshift_drop"]
    assert [name for name in sensors if name.startswith("watch_")] == doors
    world.add_org(UNIFIED_ORG)
    assert "watch_databricks_drop" in [one.name for one in location(Orgs(world.orgs, {})).sensors or ()]
    watching = [one for one in location(Orgs(world.orgs, {})).sensors or () if one.name.startswith("watch_")]
    assert len(watching) == 4
    assert all(one.default_status == dg.DefaultSensorStatus.RUNNING for one in watching)


def test_a_landed_day_becomes_a_materialization_with_its_numbers_and_data_version(org: World) -> None:
    key = org.drop("redshift", "acme", YESTERDAY, PURCHASE)
    sensors = Sensors(org)
    result = sensors.tick("watch_redshift_drop")
    (event,) = result.asset_events
    assert names(result) == [("acme/redshift_drop", YESTERDAY)]
    assert event.metadata["files"].value == 1
    assert event.metadata["bytes"].value == len(org.landing.read(key))
    assert event.metadata["dagster/uri"].value == org.landing.uri(key.rpartition("/")[0])
    assert abs(event.metadata["newest"].value - datetime.now(UTC).timestamp()) < 60
    assert len(event.tags["dagster/data_version"]) == 32
    assert not result.run_requests
    assert names(sensors.tick("watch_redshift_drop")) == []


def test_a_crash_before_the_cursor_repeats_the_same_event(org: World) -> None:
    org.land("iterable_webhooks", "acme", YESTERDAY, [esp("emailSend", f"{YESTERDAY} 10:00:00")])
    sensors = Sensors(org)
    first = sensors.tick("watch_iterable_webhooks", is_crash=True)
    again = sensors.tick("watch_iterable_webhooks")
    assert names(first) == names(again) == [("acme/iterable_webhooks", YESTERDAY)]
    assert first.asset_events[0].tags == again.asset_events[0].tags


def test_a_gone_day_says_so(org: World) -> None:
    key = org.drop("redshift", "acme", YESTERDAY, PURCHASE)
    sensors = Sensors(org)
    sensors.tick("watch_redshift_drop")
    org.landing.delete(key)
    (event,) = sensors.tick("watch_redshift_drop").asset_events
    assert (event.metadata["files"].value, event.tags["dagster/data_version"]) == (0, "empty")
    assert "rebuilt empty" in event.description


def test_undated_records_are_run_when_they_change_and_again_when_they_change_back(org: World) -> None:
    sensors = Sensors(org)
    keys = []
    for content in ("{first", "{second", "{first"):
        org.land("journey_webhooks", "acme", None, [content])
        (run,) = sensors.tick("watch_journey_webhooks").run_requests
        assert run.asset_selection == [dg.AssetKey(["acme", "undated_records"])]
        assert run.tags["org"] == "acme"
        keys.append(run.run_key)
        assert not sensors.tick("watch_journey_webhooks").run_requests
    assert len(set(keys)) == 3


def test_a_start_that_moves_back_files_what_became_dated_and_its_days_are_reported(any_world: World) -> None:
    today = datetime.now(UTC).date()
    early = today - timedelta(days=2)
    any_world.add_org(WEBHOOK_ORG, start_date=today)
    any_world.land("journey_webhooks", "acme", None, [journey(f"{early} 10:00:00")])
    sensors = Sensors(any_world)
    assert len(sensors.tick("watch_journey_webhooks").run_requests) == 1
    assert not sensors.tick("watch_journey_webhooks").run_requests

    org = any_world.add_org(WEBHOOK_ORG, start_date=early)
    reloaded = Sensors(any_world)
    reloaded.cursors = sensors.cursors
    (request,) = reloaded.tick("watch_journey_webhooks").run_requests
    assert request.asset_selection == [dg.AssetKey(["acme", "undated_records"])]
    assert dg.materialize([undated_asset(org)], instance=reloaded.instance, resources={"platform": Platform()}).success
    filed = reloaded.tick("watch_journey_webhooks")
    assert names(filed) == [("acme/journey_webhooks", str(early))]
    assert not filed.run_requests, "the run is asked for once"
    assert materialize_days(org, Days(early, early), ["custom_events"], today=today)
    assert any_world.table(CUSTOM_EVENTS)["event_name"].to_list() == ["purchase"]


def test_a_crash_repeats_the_run_key_so_that_the_run_is_not_started_twice(org: World) -> None:
    org.land("journey_webhooks", "acme", None, ["{first"])
    sensors = Sensors(org)
    first = sensors.tick("watch_journey_webhooks", is_crash=True)
    again = sensors.tick("watch_journey_webhooks")
    assert [one.run_key for one in first.run_requests] == [one.run_key for one in again.run_requests]


def test_a_tick_fails_when_no_org_can_be_listed(org: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = Sensors(org)

    def denied(*_: object, **__: object) -> None:
        raise JustAIError("access denied")

    for name in ("list", "list_folders"):
        monkeypatch.setattr(Root, name, denied)
    with pytest.raises(Exception, match="access denied"):
        sensors.tick("watch_journey_webhooks")


def test_a_notification_leads_to_the_day_and_is_deleted_when_the_cursor_shows_it(
    s3_world: World, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues, store = boto3.client("sqs", region_name="us-east-1"), boto3.client("s3", region_name="us-east-1")
    url = queues.create_queue(QueueName=bucket)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    # Of the landing prefix alone: the lake lies in the same bucket, and what we write there must not call us.
    only = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "landing/"}]}}
    events = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": only}]}
    store.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=events)
    monkeypatch.setenv("JUSTAI_LANDING_QUEUE", url)
    s3_world.add_org(WEBHOOK_ORG)
    sensors = Sensors(s3_world)

    def left() -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    sensors.tick("read_landing_queue")
    sensors.tick("watch_iterable_webhooks")
    sensors.tick("read_landing_queue")
    sensors.tick("read_landing_queue")
    assert left() == 0, "S3's test message names nothing and is deleted too"

    # Older than the recent days, so that nothing but the hint leads there before the next sweep.
    s3_world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    before = left()
    assert before >= 1
    sensors.tick("read_landing_queue", is_crash=True)
    assert left() == before, "a tick that died deleted nothing"
    queues.purge_queue(QueueUrl=url)
    s3_world.land("iterable_webhooks", "acme", "2026-01-06", [esp("emailSend", "2026-01-06 10:00:00")])
    sensors.tick("read_landing_queue")
    assert left() >= 1, "not before the cursor shows it"
    found = names(sensors.tick("watch_iterable_webhooks"))
    assert found == [("acme/iterable_webhooks", "2026-01-05"), ("acme/iterable_webhooks", "2026-01-06")]
    handled = decode(sensors.cursors["watch_iterable_webhooks"]).hint
    assert handled > 0
    assert names(sensors.tick("watch_journey_webhooks")) == []
    sensors.tick("read_landing_queue")
    sensors.tick("read_landing_queue")
    assert left() == 0


def note_for(bucket: str, slug: str, day: str) -> str:
    key = f"landing/webhooks/iterable/{slug}/event_date={day}/0000.jsonl.zst"
    return json.dumps({"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]})


@pytest.fixture
def queue(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sends notifications to a queue that the platform reads."""
    client = boto3.client("sqs", region_name="us-east-1")
    url = client.create_queue(QueueName=bucket)["QueueUrl"]
    monkeypatch.setenv("JUSTAI_LANDING_QUEUE", url)

    def send(*bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            page = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            client.send_message_batch(QueueUrl=url, Entries=page)

    return send


def is_alive(world: World) -> bool:
    return read_hints(world.lake.root, "iterable_webhooks", after=0, now=datetime.now(UTC)).is_alive


def test_while_the_reader_lags_the_doors_list_recent_days_themselves(
    s3_world: World, bucket: str, queue: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.dag.hint_sensor.MAX_MESSAGES", 20)
    s3_world.add_org(WEBHOOK_ORG)
    sensors = Sensors(s3_world)
    sensors.tick("watch_iterable_webhooks")
    queue(*[note_for(bucket, "other", YESTERDAY)] * 30, note_for(bucket, "acme", YESTERDAY))
    s3_world.land("iterable_webhooks", "acme", YESTERDAY, [esp("emailSend", f"{YESTERDAY} 10:00:00")])
    assert "more are waiting" in str(sensors.tick("read_landing_queue").skip_reason)
    assert not is_alive(s3_world)
    assert names(sensors.tick("watch_iterable_webhooks")) == [("acme/iterable_webhooks", YESTERDAY)]
    assert "more are waiting" not in str(sensors.tick("read_landing_queue").skip_reason)
    assert is_alive(s3_world)


def test_reading_stops_when_its_time_is_up_and_goes_on_in_the_next_tick(
    s3_world: World, bucket: str, queue: Callable[..., None]
) -> None:
    queue(*[note_for(bucket, "acme", YESTERDAY)] * 25)
    seconds = count(0, 5)
    sensor = hint_sensor(clock=lambda: float(next(seconds)))
    cursor, said = None, []
    for _ in range(8):
        result = sensor(
            dg.build_sensor_context(cursor=cursor, resources={"platform": Platform()}, sensor_name="read_landing_queue")
        )
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        said.append(str(result.skip_reason.skip_message))
    assert said[0] == "4 messages name 1 folders; 0 handled ones deleted; more are waiting"
    # SQS hands out ten at a time: what was handed out and not looked at comes back later.
    assert said[1].startswith("4 messages name 1 folders; 4 handled ones deleted")
    assert len(cursor or "") < 200


def test_a_queue_that_nothing_is_sent_to_spares_the_doors_nothing(
    s3_world: World, bucket: str, queue: Callable[..., None]
) -> None:
    s3_world.add_org(WEBHOOK_ORG)
    sensors = Sensors(s3_world)
    sensors.tick("read_landing_queue")
    queue('{"Event": "s3:TestEvent"}', "hello")
    sensors.tick("read_landing_queue")
    assert not is_alive(s3_world)
    queue(note_for(bucket, "acme", YESTERDAY))
    sensors.tick("read_landing_queue")
    assert is_alive(s3_world)
    s3_world.lake.root.delete("_sensors/hints/alive")
    sensors.tick("read_landing_queue")
    assert is_alive(s3_world), "a quiet hour proves nothing against it"
    tomorrow = hint_sensor(lambda: datetime.now(UTC) + timedelta(hours=25))
    s3_world.lake.root.delete("_sensors/hints/alive")
    cursor = sensors.cursors["read_landing_queue"]
    tomorrow(dg.build_sensor_context(cursor=cursor, resources={"platform": Platform()}))
    assert not is_alive(s3_world)


def test_without_a_queue_there_is_no_sensor_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUSTAI_LANDING_QUEUE", raising=False)
    world.add_org(WEBHOOK_ORG)
    assert "read_landing_queue" not in [one.name for one in location(Orgs(world.orgs, {})).sensors or ()]
