"""read_events: one frame for every org, whoever joined its custom events to messages."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.events.event_stream import EVENT_STREAM, read_events
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)
IDS = {"messageId": "m1", "templateId": 501, "campaignId": 9001}


def test_a_stream_that_we_join_has_classes_machines_and_the_send_of_each_custom_event(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-04", [esp("emailSend", "2026-01-04 23:00:00", **IDS)])
    world.land("iterable_webhooks", "acme", DAY, [
        esp("emailOpen", "2026-01-05 01:00:00", proxySource="Apple", **IDS), esp("emailClick", "2026-01-05 02:00:00", **IDS),
        esp("emailBounce", "2026-01-05 03:00:00", **IDS), esp("emailSendSkip", "2026-01-05 04:00:00", **IDS),
    ])  # fmt: skip
    world.land(
        "journey_webhooks", "acme", DAY, [journey("2026-01-05 05:00:00"), journey("2026-01-05 06:00:00", "x@y.z")]
    )
    assert world.materialize("2026-01-04", "2026-01-05")
    rows = read_events(org, world.lake, ONE).collect()
    assert rows.schema == EVENT_STREAM
    classes = dict(rows.select("event_name", "event_class").iter_rows())
    assert classes == {
        "emailOpen": "open", "emailClick": "click", "emailBounce": "bounce", "emailSendSkip": "other",
        "purchase": "custom",
    }  # fmt: skip
    assert rows.filter(event_class="open")["is_machine"].to_list() == [True]
    custom = rows.filter(event_class="custom").sort("event_timestamp")
    assert custom.select("is_attributed", "reason", "message_id", "window_hours").rows() == [
        (True, None, "m1", 24), (False, "no_send", None, 24),
    ]  # fmt: skip
    assert custom["send_timestamp"].to_list() == [datetime(2026, 1, 4, 23, tzinfo=UTC), None]
    assert custom["email_key"].null_count() == 0
    assert set(rows["source"]) == {"iterable_webhooks", "journey_webhooks"}


def test_a_stream_that_the_org_joined_is_judged_by_the_orgs_own_window(world: World) -> None:
    org = world.add_org(UNIFIED_ORG, attribution={"window_hours": 24, "windows": {"signup": 72}})
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    ids = ("501", "9001")
    sent = [("emailSend", at - timedelta(hours=30), "m1", *ids)]
    rows = [
        ("purchase", at, "m1", *ids), ("signup", at, "m1", *ids), ("purchase", at, "m9", *ids),
        ("purchase", at, None, None, None), ("emailOpen", at, "m1", *ids),
    ]  # fmt: skip
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
    world.drop("databricks", "globex", "2026-01-04", pl.DataFrame(sent, schema=names, orient="row"))
    world.drop("databricks", "globex", DAY, pl.DataFrame(rows, schema=names, orient="row"))
    assert world.materialize("2026-01-04", "2026-01-05", org="globex")
    found = read_events(org, world.lake, ONE).collect()
    assert found.schema == EVENT_STREAM
    assert found.select(pl.col("email_key", "user_key", "is_machine").is_null().all()).row(0) == (True,) * 3
    custom = found.filter(event_class="custom").sort("event_name", "message_id", nulls_last=True)
    assert custom.select("event_name", "message_id", "is_attributed", "reason", "window_hours").rows() == [
        ("purchase", "m1", False, "outside_window", 24), ("purchase", "m9", False, "no_send", 24),
        ("purchase", None, False, "no_send", 24), ("signup", "m1", True, None, 72),
    ]  # fmt: skip
    assert custom["send_timestamp"].drop_nulls().unique().to_list() == [at - timedelta(hours=30)]


def test_the_orgs_own_send_events_are_sends(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, attribution={"send_events": ["cardSend"]})
    world.land("iterable_webhooks", "acme", DAY, [esp("cardSend", "2026-01-05 01:00:00", **IDS)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert read_events(org, world.lake, ONE).collect()["event_class"].to_list() == ["send"]
