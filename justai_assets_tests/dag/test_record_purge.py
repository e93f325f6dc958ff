"""What is purged, and that no day's state changes by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.dag.failed_days_check import unfinished_days
from justai_assets.dag.headless import materialize_days
from justai_assets.dag.record_purge import Retention, purge_instance
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

DAYS = Days.parse("2026-01-05", "2026-01-06")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as found:
        yield found


def test_old_records_go_and_the_state_of_every_day_stays(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    today = date(2026, 2, 1)
    for _ in range(2):
        assert materialize_days(org, DAYS, ["esp_events"], today=today)
    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.dag.day_checks.no_pii", lambda *_: 1 / 0)
        assert not materialize_days(org, Days(DAYS.last, DAYS.last), ["esp_events"], today=today)
    instance.report_runless_asset_event(dg.AssetMaterialization(["acme", "iterable_webhooks"], partition="2026-01-05"))

    def state() -> object:
        keys = [dg.AssetKey(["acme", name]) for name in ("esp_events", "iterable_webhooks")]
        return unfinished_days(instance, org, DAYS), [instance.get_materialized_partitions(key) for key in keys]

    before = state()
    assert str(before).count("datetime.date(2026, 1, 6)") > 0
    now = datetime.now(UTC) + timedelta(days=31)
    counted = purge_instance(instance, Retention(dry_run=True), now)
    assert counted["runs"] == 2
    assert counted["events"] > 0
    assert counted["checks"] > 0
    assert len(instance.get_runs()) == 3
    assert purge_instance(instance, Retention(), now) == counted
    assert state() == before
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    again = purge_instance(instance, Retention(), now)
    assert sum(again.values()) == 0, again


def test_younger_records_stay(world: World, instance: dg.DagsterInstance) -> None:
    org = world.add_org(WEBHOOK_ORG)
    assert materialize_days(org, DAYS, ["esp_events"], today=date(2026, 2, 1))
    found = purge_instance(instance, Retention(), datetime.now(UTC) + timedelta(days=29))
    assert sum(found.values()) == 0, found
