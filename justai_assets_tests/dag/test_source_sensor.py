"""The doors' sensors as Dagster evaluates them: events on landing assets, runs for undated records, hints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import CUSTOM_EVENTS
from justai_assets.dag.headless import materialize_days
from justai_assets.dag.location import location
from justai_assets.dag.resources import Platform
from justai_assets.dag.undated_asset import undated_asset
from justai_assets.orgs.org_loader import Orgs
from justai_assets.storage import Root
from justai_assets_tests.dag.sensors import PURCHASE, YESTERDAY, Sensors, names
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey


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


def test_a_landed_day_becomes_a_materialization_with_its_numbers_and_data_version(source_org: World) -> None:
    key = source_org.drop("redshift", "acme", YESTERDAY, PURCHASE)
    sensors = Sensors(source_org)
    result = sensors.tick("watch_redshift_drop")
    (event,) = result.asset_events
    assert names(result) == [("acme/redshift_drop", YESTERDAY)]
    assert event.metadata["files"].value == 1
    assert event.metadata["bytes"].value == len(source_org.landing.read(key))
    assert event.metadata["dagster/uri"].value == source_org.landing.uri(key.rpartition("/")[0])
    assert abs(event.metadata["newest"].value - datetime.now(UTC).timestamp()) < 60
    assert len(event.tags["dagster/data_version"]) == 32
    assert not result.run_requests
    assert names(sensors.tick("watch_redshift_drop")) == []


def test_a_crash_before_the_cursor_repeats_the_same_event(source_org: World) -> None:
    source_org.land("iterable_webhooks", "acme", YESTERDAY, [esp("emailSend", f"{YESTERDAY} 10:00:00")])
    sensors = Sensors(source_org)
    first = sensors.tick("watch_iterable_webhooks", is_crash=True)
    again = sensors.tick("watch_iterable_webhooks")
    assert names(first) == names(again) == [("acme/iterable_webhooks", YESTERDAY)]
    assert first.asset_events[0].tags == again.asset_events[0].tags


def test_a_gone_day_says_so(source_org: World) -> None:
    key = source_org.drop("redshift", "acme", YESTERDAY, PURCHASE)
    sensors = Sensors(source_org)
    sensors.tick("watch_redshift_drop")
    source_org.landing.delete(key)
    (event,) = sensors.tick("watch_redshift_drop").asset_events
    assert (event.metadata["files"].value, event.tags["dagster/data_version"]) == (0, "empty")
    assert "rebuilt empty" in event.description


def test_undated_records_are_run_when_they_change_and_again_when_they_change_back(source_org: World) -> None:
    sensors = Sensors(source_org)
    keys = []
    for content in ("{first", "{second", "{first"):
        source_org.land("journey_webhooks", "acme", None, [content])
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

    source_org = any_world.add_org(WEBHOOK_ORG, start_date=early)
    reloaded = Sensors(any_world)
    reloaded.cursors = sensors.cursors
    (request,) = reloaded.tick("watch_journey_webhooks").run_requests
    assert request.asset_selection == [dg.AssetKey(["acme", "undated_records"])]
    assert dg.materialize(
        [undated_asset(source_org)], instance=reloaded.instance, resources={"platform": Platform()}
    ).success
    filed = reloaded.tick("watch_journey_webhooks")
    assert names(filed) == [("acme/journey_webhooks", str(early))]
    assert not filed.run_requests, "the run is asked for once"
    assert materialize_days(source_org, Days(early, early), ["custom_events"], today=today)
    assert any_world.table(CUSTOM_EVENTS)["event_name"].to_list() == ["purchase"]


def test_a_crash_repeats_the_run_key_so_that_the_run_is_not_started_twice(source_org: World) -> None:
    source_org.land("journey_webhooks", "acme", None, ["{first"])
    sensors = Sensors(source_org)
    first = sensors.tick("watch_journey_webhooks", is_crash=True)
    again = sensors.tick("watch_journey_webhooks")
    assert [one.run_key for one in first.run_requests] == [one.run_key for one in again.run_requests]


def test_a_tick_fails_when_no_org_can_be_listed(source_org: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = Sensors(source_org)

    def denied(*_: object, **__: object) -> None:
        raise JustAIError("access denied")

    for name in ("list", "list_folders"):
        monkeypatch.setattr(Root, name, denied)
    with pytest.raises(Exception, match="access denied"):
        sensors.tick("watch_journey_webhooks")
