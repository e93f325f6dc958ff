"""Hints from a queue: what a message names, and the notes the doors follow."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import boto3
import pytest

from justai_assets.contract.errors import StorageError
from justai_assets.landing.notification_queue import LandingQueue
from justai_assets.landing.notifications import (
    Hint,
    discard_notes,
    discard_receipts,
    mark_alive,
    read_hints,
    read_message,
    read_receipts,
    write_note,
    write_receipts,
)
from justai_assets.storage import Root
from justai_assets_tests.world import World

ROOT = Root("s3://bucket/landing")
NOW = datetime.now(UTC)


def notification(*keys: str, bucket: str = "bucket") -> str:
    return json.dumps({"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys]})


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("landing/redshift/acme/event_date%3D2026-01-05/a+b.parquet", Hint("redshift", "acme", "2026-01-05")),
        (
            "landing/webhooks/iterable/acme-eu/event_date=2026-01-05/x.jsonl.zst",
            Hint("iterable_webhooks", "acme-eu", "2026-01-05"),
        ),
        (
            "landing/redshift/acme/event_date=__HIVE_DEFAULT_PARTITION__/a.parquet",
            Hint("redshift", "acme", "__HIVE_DEFAULT_PARTITION__"),
        ),
        ("landing/redshift/acme/manifest", Hint("redshift", "acme", "*")),
        ("landing/redshift/acme/event_date=2026-13-05/a.parquet", None),
        ("landing/redshift/acme/folder/a.parquet", None),
        ("landing/redshift/ACME/event_date=2026-01-05/a.parquet", None),
        ("landing/redshift", None),
        ("landing-2/redshift/acme/event_date=2026-01-05/a.parquet", None),
        ("elsewhere/a.parquet", None),
    ],
)
def test_a_key_names_the_folder_to_list(key: str, hint: Hint | None) -> None:
    assert read_message(notification(key), ROOT) == ({hint} if hint else set())


def test_a_message_may_come_through_sns_or_eventbridge_and_name_several_keys() -> None:
    keys = ["landing/redshift/acme/event_date=2026-01-05/a", "landing/redshift/acme/event_date=2026-01-06/a"]
    expected = {Hint("redshift", "acme", "2026-01-05"), Hint("redshift", "acme", "2026-01-06")}
    assert read_message(notification(*keys), ROOT) == expected
    assert read_message(json.dumps({"Type": "Notification", "Message": notification(*keys)}), ROOT) == expected
    bridge = {"detail": {"bucket": {"name": "bucket"}, "object": {"key": keys[0]}}}
    assert read_message(json.dumps(bridge), ROOT) == {Hint("redshift", "acme", "2026-01-05")}


def test_another_bucket_or_a_local_root_gives_no_hint_and_s3s_test_message_is_understood() -> None:
    key = "landing/redshift/acme/event_date=2026-01-05/a"
    assert read_message(notification(key, bucket="bucket-2"), ROOT) == set()
    assert read_message(notification(key), Root("file:///landing")) == set()
    assert read_message('{"Event": "s3:TestEvent", "Bucket": "bucket"}', ROOT) == set()


@pytest.mark.parametrize("body", ["", "hello", "[]", "{}", '{"Records": [1]}', '{"Message": "x"}', "null"])
def test_what_is_no_notification_is_told_apart(body: str) -> None:
    assert read_message(body, ROOT) is None


def test_notes_are_followed_once_by_each_door_and_discarded_after_a_sweep(any_world: World) -> None:
    lake = any_world.lake.root
    assert read_hints(lake, "redshift", after=0, now=NOW).note == 0
    write_note(lake, 5, [Hint("redshift", "acme", "2026-01-05"), Hint("databricks", "acme", "2026-01-06")])
    write_note(lake, 7, [Hint("redshift", "acme", "__HIVE_DEFAULT_PARTITION__"), Hint("redshift", "globex", "*")])
    found = read_hints(lake, "redshift", after=0, now=NOW)
    assert (found.days, found.sweep, found.note) == ({"acme": {date(2026, 1, 5), None}}, {"globex"}, 7)
    assert read_hints(lake, "redshift", after=5, now=NOW).days == {"acme": {None}}
    assert read_hints(lake, "databricks", after=0, now=NOW).days == {"acme": {date(2026, 1, 6)}}
    assert read_hints(lake, "redshift", after=7, now=NOW).days == {}
    discard_notes(lake, NOW + timedelta(hours=3))
    assert read_hints(lake, "redshift", after=0, now=NOW).note == 0


def test_a_damaged_note_says_nothing_and_stops_nothing(any_world: World) -> None:
    lake = any_world.lake.root
    lake.write("_sensors/hints/000000000000001.json", b"{")
    write_note(lake, 2, [Hint("redshift", "acme", "*")])
    found = read_hints(lake, "redshift", after=0, now=NOW)
    assert (found.sweep, found.note) == ({"acme"}, 2)


def test_receipts_are_kept_until_they_are_used_or_run_out(any_world: World) -> None:
    lake = any_world.lake.root
    write_receipts(lake, 5, ["one", "two"])
    write_receipts(lake, 6, ["three"])
    assert read_receipts(lake, 5) == ["one", "two"]
    assert read_hints(lake, "redshift", after=0, now=NOW).note == 0, "receipts are no note"
    discard_receipts(lake, 5)
    discard_receipts(lake, 5)
    assert read_receipts(lake, 5) == []
    lake.write("_sensors/hints/receipts-000000000000006.json", b"{")
    assert read_receipts(lake, 6) == []
    discard_notes(lake, datetime.now(UTC) + timedelta(hours=3))
    assert lake.list_flat("_sensors/hints") == []


def test_the_queue_counts_as_read_for_ten_minutes(any_world: World) -> None:
    lake = any_world.lake.root
    assert not read_hints(lake, "redshift", after=0, now=NOW).is_alive
    mark_alive(lake)
    assert read_hints(lake, "redshift", after=0, now=datetime.now(UTC)).is_alive
    assert not read_hints(lake, "redshift", after=0, now=datetime.now(UTC) + timedelta(minutes=11)).is_alive


def test_a_queue_gives_its_messages_and_forgets_the_deleted(bucket: str) -> None:
    client = boto3.client("sqs", region_name="us-east-1")
    url = client.create_queue(QueueName=bucket)["QueueUrl"]
    queue = LandingQueue(url)
    for number in range(23):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    taken = list(queue.receive(20))
    assert len(taken) == 20
    rest = list(queue.receive(20))
    assert {one.body for one in (*taken, *rest)} == {str(number) for number in range(23)}
    queue.delete([one.receipt for one in taken])
    queue.delete([one.receipt for one in taken])
    counts = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "3"


def test_a_queue_that_is_not_there_is_a_clear_error(bucket: str, moto_url: str) -> None:
    with pytest.raises(StorageError, match="JUSTAI_LANDING_QUEUE"):
        list(LandingQueue(f"{moto_url}/123456789012/no-such-queue").receive(1))
