"""A day that fails a blocking check goes no further, and holds back nothing that it cannot change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict
from justai_assets_tests.dag.automated import Automation, spread


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
