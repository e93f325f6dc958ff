"""Notifications of a queue lead a source's sensor to the days that changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import boto3
import dagster as dg
import pytest

from justai_assets.dag.location import location
from justai_assets.dag.notification_sensor import hint_sensor
from justai_assets.dag.resources import Platform
from justai_assets.landing.notifications import read_hints
from justai_assets.landing.sensor_cursor import decode
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.dag.sensors import YESTERDAY, Sensors, names
from justai_assets_tests.world import WEBHOOK_ORG, World, esp


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
    monkeypatch.setattr("justai_assets.dag.notification_sensor.MAX_MESSAGES", 20)
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
