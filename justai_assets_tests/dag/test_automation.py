"""What is rebuilt, and when: the audited condition, evaluated as the daemon evaluates it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests_with_backfill_policies
from dagster._core.definitions.events import AssetKeyPartitionKey

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, Table
from justai_assets.dag.automation import automation_sensor
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.lake.store import Lake
from justai_assets.orgs.load import Orgs
from justai_assets.quality.verdict import Verdict
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

TODAY = date(2026, 6, 30)


def spread(first: str, last: str) -> set[str]:
    return {str(day) for day in Days.parse(first, last)}


class Automation:
    """The location of a world and an instance, with the daemon's clock in our hands."""

    def __init__(self, world: World) -> None:
        self.definitions = location(Orgs(world.orgs, {}))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor = None
        self.now = datetime(2026, 6, 30, 12, tzinfo=UTC)
        self.requested: dict[str, set[str]] = {}
        self.tick()

    def tick(self) -> dict[str, set[str]]:
        """Evaluate; the partitions requested, by table."""
        self.now += timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        keys = self.definitions.resolve_asset_graph().materializable_asset_keys
        found = {"/".join(key.path): set(result.get_requested_partitions(key)) for key in keys}
        self.requested = {key: days for key, days in found.items() if days}
        return {key.rpartition("/")[2]: days for key, days in self.requested.items()}

    def landed(self, name: str, days: Iterable[str], org: str = "acme") -> None:
        """What a door's sensor reports."""
        for day in sorted(days):
            self.instance.report_runless_asset_event(dg.AssetMaterialization([org, name], partition=day))

    def run(self, days: Days, *names: str, org: str = "acme") -> bool:
        """A real ranged run of tables, as the backfill daemon would launch it."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        selection = [dg.AssetKey([org, name]) for name in names]
        with pytest.MonkeyPatch.context() as quiet:
            quiet.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
            return job.execute_in_process(
                asset_selection=selection, instance=self.instance, tags=range_tags(days), raise_on_error=False
            ).success

    def settle(self) -> list[tuple[str, set[str]]]:
        """Tick and run what was requested until nothing is; the (table, days) that ran, in order."""
        ran = []
        for _ in range(10):
            requested = self.tick()
            if not requested:
                return ran
            for run in self.runs():
                ran.append(run)
                (key, days) = run
                assert self.run(Days.parse(min(days), max(days)), key.rpartition("/")[2])
        raise AssertionError(f"automation never comes to rest: {ran[-3:]}")

    def runs(self) -> list[tuple[str, set[str]]]:
        """The runs that the backfill daemon makes of the last tick's requests."""
        graph = self.definitions.resolve_asset_graph()
        found = []
        for key, days in self.requested.items():
            partitions = {AssetKeyPartitionKey(dg.AssetKey(key.split("/")), day) for day in days}
            for request in build_run_requests_with_backfill_policies(partitions, graph, self.instance):
                first = request.tags["dagster/asset_partition_range_start"]
                found.append((key, spread(first, request.tags["dagster/asset_partition_range_end"])))
        return found


@pytest.fixture
def automation(world: World) -> Automation:
    world.add_org(WEBHOOK_ORG)
    return Automation(world)


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


def found_bad(patch: pytest.MonkeyPatch, *days: str, warns: bool = False) -> None:
    """A blocking check that finds something in these days, and nothing in others."""

    def judge(_: Lake, __: str, table: Table, judged: Days) -> list[Verdict]:
        said = {day: ("something",) for day in days if table is ESP_EVENTS}
        return [
            Verdict(day, {}, warnings=said.get(str(day), ())) if warns else Verdict(day, {}, said.get(str(day), ()))
            for day in judged
        ]

    patch.setattr("justai_assets.dag.day_checks.no_pii", judge)


@pytest.mark.parametrize("last", ["2026-01-10", "2026-01-12"])
def test_a_day_that_fails_a_blocking_check_goes_no_further_until_it_is_sound(
    automation: Automation, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    days = Days.parse("2026-01-10", last)
    automation.landed("iterable_webhooks", map(str, days))
    assert automation.tick() == {"esp_events": set(map(str, days))}
    with monkeypatch.context() as patch:
        found_bad(patch, *map(str, days))
        assert not automation.run(days, "esp_events")
    assert automation.tick() == {}
    assert automation.tick() == {}
    assert automation.run(days, "esp_events")
    assert automation.tick() == {
        "attributed_events": spread("2026-01-10", str(days.last + timedelta(days=3))),
        "unified_events": set(map(str, days)),
        "attribution_metrics": set(map(str, days)),
        "message_outcomes": spread("2026-01-07", str(days.last + timedelta(days=3))),
    }
    assert automation.tick() == {}


def test_one_bad_day_of_a_range_holds_back_what_it_can_change_and_no_more(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days.parse("2026-01-10", "2026-01-12")
    automation.landed("iterable_webhooks", map(str, days))
    automation.tick()
    with monkeypatch.context() as patch:
        found_bad(patch, "2026-01-11")
        assert not automation.run(days, "esp_events")
    assert automation.tick() == {
        "attributed_events": {"2026-01-10", "2026-01-15"},
        "unified_events": {"2026-01-10", "2026-01-12"},
        "attribution_metrics": {"2026-01-10", "2026-01-12"},
        "message_outcomes": {"2026-01-07", "2026-01-15"},
    }


def test_an_update_that_arrives_while_a_day_is_held_back_is_not_lost(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Days.parse("2026-01-10", "2026-01-10")
    automation.landed("iterable_webhooks", ["2026-01-10"])
    automation.tick()
    with monkeypatch.context() as patch:
        found_bad(patch, "2026-01-10")
        assert not automation.run(day, "esp_events")
    automation.landed("redshift_drop", ["2026-01-10"])
    assert automation.tick() == {"custom_events": {"2026-01-10"}}
    assert automation.run(day, "custom_events")
    assert automation.tick() == {}
    assert automation.run(day, "esp_events")
    assert automation.tick()["attributed_events"] == spread("2026-01-10", "2026-01-13")
    assert automation.tick() == {}


def test_a_day_whose_checks_were_not_carried_out_goes_no_further(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Days.parse("2026-01-10", "2026-01-10")
    automation.landed("iterable_webhooks", ["2026-01-10"])
    automation.tick()
    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.dag.day_checks.no_pii", lambda *_: 1 / 0)
        assert not automation.run(day, "esp_events")
    assert automation.tick() == {}
    assert automation.run(day, "esp_events")
    assert automation.tick()["unified_events"] == {"2026-01-10"}


def test_a_day_that_could_not_be_written_again_does_not_stop_its_neighbours(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.dag.org_assets.build_from_doors", lambda *_, **__: 1 / 0)
        assert not automation.run(Days.parse("2026-01-10", "2026-01-10"), "esp_events")
    automation.landed("redshift_drop", ["2026-01-11"])
    automation.tick()
    assert automation.run(Days.parse("2026-01-11", "2026-01-11"), "custom_events")
    assert automation.tick() == {"attributed_events": {"2026-01-11"}}


def test_a_warning_of_a_blocking_check_holds_nothing_back(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    automation.landed("iterable_webhooks", ["2026-01-10"])
    automation.tick()
    found_bad(monkeypatch, "2026-01-10", warns=True)
    assert automation.run(Days.parse("2026-01-10", "2026-01-10"), "esp_events")
    assert automation.tick()["unified_events"] == {"2026-01-10"}


def test_the_sensor_runs_by_default_at_an_interval_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUSTAI_AUTOMATION_SECONDS", raising=False)
    assert automation_sensor().default_status == dg.DefaultSensorStatus.RUNNING
    assert automation_sensor().minimum_interval_seconds == 60
    monkeypatch.setenv("JUSTAI_AUTOMATION_SECONDS", "600")
    assert automation_sensor().minimum_interval_seconds == 600
