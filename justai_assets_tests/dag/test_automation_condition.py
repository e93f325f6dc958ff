"""What is rebuilt, and when: the audited condition, evaluated as the daemon evaluates it."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.dag.org_automation import automation_sensor
from justai_assets_tests.dag.automated import Automation, spread
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp


def test_a_late_send_reopens_the_four_days_it_can_change_and_nothing_else(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    automation = Automation(world)
    world.land("iterable_webhooks", org.slug, "2026-01-10", [esp("emailSend", "2026-01-10 10:00:00")])
    automation.landed("iterable_webhooks", ["2026-01-10"])
    assert automation.tick() == {"esp_events": {"2026-01-10"}}
    assert automation.run(Days.parse("2026-01-10", "2026-01-10"), "esp_events")
    assert automation.tick() == {
        "attributed_events": spread("2026-01-10", "2026-01-13"),
        "unified_events": {"2026-01-10"},
        "attribution_metrics": {"2026-01-10"},
        "message_outcomes": spread("2026-01-07", "2026-01-13"),
    }


def test_it_comes_to_rest_after_everything_downstream_was_rebuilt(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    automation = Automation(world)
    automation.landed("iterable_webhooks", ["2026-01-10"])
    ran = automation.settle()
    touched = {key.rpartition("/")[2]: days for key, days in ran}
    assert touched["attributed_events"] == touched["unified_events"] == spread("2026-01-10", "2026-01-13")
    # What was sent up to three days before, by all that may have followed it up to three days after.
    assert {day for key, days in ran if key.endswith("outcomes") for day in days} == spread("2026-01-07", "2026-01-16")
    events = [days for key, days in ran if not key.endswith("outcomes")]
    assert all(days <= spread("2026-01-10", "2026-01-13") for days in events)
    assert automation.tick() == {}


def test_the_last_days_reopen_only_days_that_exist(automation: Automation) -> None:
    automation.landed("iterable_webhooks", ["2026-06-29"])
    # Today's batch begins.
    automation.now += timedelta(minutes=15)
    automation.tick()
    assert automation.run(Days.parse("2026-06-29", "2026-06-29"), "esp_events")
    assert automation.tick()["attributed_events"] == spread("2026-06-29", "2026-06-30")


def test_a_custom_event_reopens_its_own_day_alone(automation: Automation) -> None:
    automation.landed("redshift_drop", ["2026-01-10"])
    assert automation.tick() == {"custom_events": {"2026-01-10"}}
    assert automation.run(Days.parse("2026-01-10", "2026-01-10"), "custom_events")
    assert automation.tick() == {"attributed_events": {"2026-01-10"}}


def test_an_update_between_the_request_and_the_end_of_its_run_is_not_lost(automation: Automation) -> None:
    automation.landed("iterable_webhooks", ["2026-01-10"])
    assert automation.tick() == {"esp_events": {"2026-01-10"}}
    automation.landed("iterable_webhooks", ["2026-01-10"])
    assert automation.run(Days.parse("2026-01-10", "2026-01-10"), "esp_events")
    assert automation.tick()["esp_events"] == {"2026-01-10"}
    assert "esp_events" not in automation.tick()


def test_an_update_right_after_the_request_and_before_the_run_is_launched_is_not_lost(automation: Automation) -> None:
    automation.landed("iterable_webhooks", ["2026-01-10"])
    automation.tick()
    automation.landed("iterable_webhooks", ["2026-01-10"])
    assert automation.tick() == {"esp_events": {"2026-01-10"}}


def test_nothing_is_requested_when_nothing_happened(automation: Automation) -> None:
    assert automation.tick() == {}
    assert automation.tick() == {}


def test_a_missing_neighbour_day_does_not_block(automation: Automation) -> None:
    automation.landed("iterable_webhooks", ["2026-01-01", "2026-03-01"])
    assert automation.tick() == {"esp_events": {"2026-01-01", "2026-03-01"}}
    for key, days in automation.runs():
        assert automation.run(Days.parse(min(days), max(days)), key.rpartition("/")[2])
    assert automation.tick()["attributed_events"] == spread("2026-01-01", "2026-01-04") | spread(
        "2026-03-01", "2026-03-04"
    )


def test_days_apart_become_ranged_runs_of_their_own(automation: Automation) -> None:
    automation.landed("iterable_webhooks", spread("2026-01-01", "2026-01-20") | spread("2026-02-10", "2026-02-12"))
    automation.tick()
    assert automation.runs() == [
        ("acme/esp_events", spread("2026-01-01", "2026-01-20")),
        ("acme/esp_events", spread("2026-02-10", "2026-02-12")),
    ]


def test_a_burst_of_150_days_is_one_run_a_table(automation: Automation) -> None:
    burst = spread("2026-01-01", "2026-05-30")
    assert len(burst) == 150
    automation.landed("iterable_webhooks", burst)
    automation.landed("journey_webhooks", burst)
    automation.tick()
    assert sorted(automation.runs()) == [("acme/custom_events", burst), ("acme/esp_events", burst)]


def test_the_orgs_do_not_touch_one_another(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG)
    automation = Automation(world)
    automation.landed("databricks_drop", ["2026-01-10"], org="globex")
    automation.tick()
    assert automation.requested == {"globex/unified_events": {"2026-01-10"}}


def test_a_day_before_the_start_or_in_the_future_requests_nothing(automation: Automation) -> None:
    automation.landed("iterable_webhooks", ["2025-12-31", "2026-07-15"])
    assert automation.tick() == {}


def test_the_sensor_runs_by_default_at_an_interval_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUSTAI_AUTOMATION_SECONDS", raising=False)
    assert automation_sensor().default_status == dg.DefaultSensorStatus.RUNNING
    assert automation_sensor().minimum_interval_seconds == 60
    monkeypatch.setenv("JUSTAI_AUTOMATION_SECONDS", "600")
    assert automation_sensor().minimum_interval_seconds == 600
