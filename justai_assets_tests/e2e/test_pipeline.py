"""From landed files to the unified stream and metrics, through real Dagster runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    FATES,
    QUARANTINE,
    TABLES,
    UNIFIED_EVENTS,
)
from justai_assets.lake.store import Lake
from justai_assets.storage import Root
from justai_assets_tests.e2e.week import IDS, assert_same, land_a_week, snapshot
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey


def test_a_webhook_becomes_a_row_of_unified_events_with_the_message_that_caused_it(any_world: World) -> None:
    any_world.add_org(WEBHOOK_ORG)
    any_world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    any_world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00")])

    assert any_world.materialize("2026-01-05", "2026-01-05")

    rows = any_world.table(UNIFIED_EVENTS).select("event_name", "message_id", "template_id", "campaign_id").rows()
    assert rows == [("emailSend", "m" * 32, "501", "9001"), ("purchase", "m" * 32, "501", "9001")]
    metrics = any_world.table(ATTRIBUTION_METRICS).filter(event_name="purchase", window_hours=24).to_dicts()
    assert [(row["events"], row["attributed_conversions"], row["sends"]) for row in metrics] == [(1, 1, 1)]


def test_an_org_by_warehouse_passes_its_unified_stream_through(any_world: World) -> None:
    any_world.add_org(UNIFIED_ORG)
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    rows = [
        ("emailSend", at, "m1", "601", "9101"),
        ("emailOpen", at + timedelta(hours=1), "m1", "601", "9101"),
        ("upgrade", at + timedelta(hours=30), "m1", "601", "9101"),
    ]
    names = ["event_name", "event_timestamp", "message_id", "template_id", "campaign_id"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    for day in (5, 6):
        of_day = frame.filter(pl.col("event_timestamp").dt.day() == day)
        any_world.drop("databricks", "globex", f"2026-01-0{day}", of_day)

    assert any_world.materialize("2026-01-05", "2026-01-06", org="globex")

    assert any_world.table(UNIFIED_EVENTS, "globex")["event_name"].to_list() == ["emailOpen", "emailSend", "upgrade"]
    metrics = any_world.table(ATTRIBUTION_METRICS, "globex").filter(event_name="upgrade")
    by_window = {
        row["window_hours"]: row["attributed_conversions"]
        for row in metrics.filter(pl.col("template_id") == "601").to_dicts()
    }
    assert by_window == {48: 1, 72: 1}  # 30 hours after its send: not inside 24


@pytest.mark.slow
def test_a_range_day_by_day_or_in_any_order_or_twice_gives_the_same_rows(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    assert world.materialize("2026-01-05", "2026-01-08")
    whole = snapshot(world)
    assert whole["unified_events"].height > 240
    assert world.materialize("2026-01-05", "2026-01-08")
    assert_same(whole, snapshot(world))

    for table in ("esp_events", "custom_events", "attributed_events", "unified_events", "attribution_metrics"):
        for day in ("2026-01-07", "2026-01-05", "2026-01-08", "2026-01-06"):
            assert world.materialize(day, day, table)
    assert_same(whole, snapshot(world))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["8765", "7586"])
def test_days_built_alone_into_an_empty_lake_in_any_order_equal_the_range(
    order: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    # Sent on one day, bought on the next.
    for day in (5, 6):
        late = journey(f"2026-01-0{day + 1} 09:00:00", f"late{day}@example.com")
        sent = esp("emailSend", f"2026-01-0{day} 19:00:00", f"late{day}@example.com", **IDS)
        world.land("iterable_webhooks", "acme", f"2026-01-0{day}", [sent], "late")
        world.land("journey_webhooks", "acme", f"2026-01-0{day + 1}", [late], "late")
    assert world.materialize("2026-01-05", "2026-01-08")
    whole = snapshot(world)
    other = str(world.folder / "other")
    monkeypatch.setenv("JUSTAI_LAKE", other)
    world.lake = Lake(Root.parse(other))
    for day in order:
        assert world.materialize(f"2026-01-0{day}", f"2026-01-0{day}")
    # Which of the days before them were built too, empty, for their sends, does depend on the days asked for.
    days = {name: pl.col(table.day_column) for name, table in TABLES.items()}
    asked = {name: (day >= date(2026, 1, 5)).fill_null(value=True) for name, day in days.items()}
    assert_same(*({name: rows.filter(asked[name]) for name, rows in one.items()} for one in (whole, snapshot(world))))


def test_one_day_built_alone_finds_the_sends_of_the_days_before_it(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 20:00:00", **IDS)])
    world.land("journey_webhooks", "acme", "2026-01-06", [journey("2026-01-06 10:00:00")])
    assert world.materialize("2026-01-06", "2026-01-06")
    assert world.table(UNIFIED_EVENTS)["event_name"].to_list() == ["purchase"]
    assert set(world.table(ESP_EVENTS)["event_date"]) == {date(2026, 1, 5)}


def test_a_day_built_again_with_a_late_send_brings_the_later_days_with_it(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.land("journey_webhooks", "acme", "2026-01-06", [journey("2026-01-06 10:00:00")])
    assert world.materialize("2026-01-04", "2026-01-07")
    assert world.table(UNIFIED_EVENTS).is_empty()
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 20:00:00", **IDS)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert world.table(UNIFIED_EVENTS)["event_name"].to_list() == ["emailSend", "purchase"]
    metrics = world.table(ATTRIBUTION_METRICS).filter(event_name="purchase", template_id="501")
    assert metrics["attributed_conversions"].to_list() == [1, 1, 1]


def test_metrics_of_a_unified_stream_are_the_same_in_any_order(world: World) -> None:
    world.add_org(UNIFIED_ORG)
    names = ["event_name", "event_timestamp", "message_id", "template_id", "campaign_id"]
    sent, bought = datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 1, 6, 15, tzinfo=UTC)
    for name, at in (("emailSend", sent), ("upgrade", bought)):
        frame = pl.DataFrame([(name, at, "m1", "601", "9101")], schema=names, orient="row")
        world.drop("databricks", "globex", at.date(), frame)
    for day in ("2026-01-06", "2026-01-05"):
        assert world.materialize(day, day, org="globex")
    metrics = world.table(ATTRIBUTION_METRICS, "globex").filter(event_name="upgrade", attributed_conversions=1)
    assert metrics["window_hours"].to_list() == [48, 72]


def test_a_late_send_changes_the_days_it_can_change_when_they_are_built_again(world: World) -> None:
    world.add_org(WEBHOOK_ORG, attribution={"window_hours": 72})
    world.land("journey_webhooks", "acme", "2026-01-08", [journey("2026-01-08 09:00:00")])
    assert world.materialize("2026-01-05", "2026-01-08")
    assert world.table(ATTRIBUTED_EVENTS)["reason"].to_list() == ["no_send"]

    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)], "late")
    assert world.materialize("2026-01-05", "2026-01-08")

    assert world.table(ATTRIBUTED_EVENTS)["message_id"].to_list() == ["m" * 32]


def test_every_record_has_one_fate(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    # The one is of a day before the org's start, the other of no day at all.
    world.land("journey_webhooks", "acme", None, [journey("2025-12-05 11:00:00"), "nothing"])
    assert world.materialize("2026-01-05", "2026-01-07")

    fates = world.table(FATES).group_by("asset", "fate").agg(pl.col("records").sum()).rows()
    sums = {(asset, fate): records for asset, fate, records in fates}
    assert sums["esp_events", "received"] == 3 * 82
    assert sums["esp_events", "accepted"] == 3 * 80 == world.table(ESP_EVENTS).height
    assert sums["esp_events", "duplicate"] == 3
    assert sums["esp_events", "quarantined"] == 3
    assert sums["custom_events", "received"] == 3 * 18 + 2
    assert sums["custom_events", "quarantined"] == 2 == world.table(QUARANTINE).filter(asset="custom_events").height
    assert sums["attributed_events", "attributed"] + sums["attributed_events", "unattributed"] == 3 * 18
    assert world.table(CUSTOM_EVENTS).height == world.table(ATTRIBUTED_EVENTS).height == 3 * 18


def test_two_identical_purchases_of_a_drop_stay_two(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    frame = pl.DataFrame(
        {"event_timestamp": [at, at], "event_name": ["purchase"] * 2, "user_id_or_email": ["jane@example.com"] * 2}
    )
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    world.drop("redshift", "acme", "2026-01-05", frame)
    assert world.materialize("2026-01-05", "2026-01-05")
    assert world.table(UNIFIED_EVENTS).filter(event_name="purchase").height == 2


def test_an_org_never_reads_another_whose_slug_begins_alike(any_world: World) -> None:
    any_world.add_org(WEBHOOK_ORG)
    any_world.land("iterable_webhooks", "acme-eu", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    assert any_world.materialize("2026-01-05", "2026-01-05")
    assert any_world.table(ESP_EVENTS).is_empty()
