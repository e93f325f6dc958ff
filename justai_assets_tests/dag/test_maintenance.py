from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from pydantic import ValidationError

from justai_assets.contract.tables import ESP_EVENTS
from justai_assets.dag import maintenance
from justai_assets.dag.maintenance import Upkeep, maintain_org, maintenance_schedule
from justai_assets.dag.org_assets import org_assets
from justai_assets.dag.org_keys import pool_of
from justai_assets.dag.pools import ensure_pools, slot
from justai_assets.dag.resources import Platform
from justai_assets_tests.dag.demo_week import DAYS, TABLES, Week


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "instance"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home), overrides={"concurrency": {"pools": {"default_limit": 1}}}) as found:
        yield found


def run_of(instance: dg.DagsterInstance) -> dg.DagsterRun:
    config = dg.RunConfig({"maintain_tables": Upkeep(org="acme")})
    return instance.create_run_for_job(maintain_org, run_config=config.to_config_dict())


def maintain(instance: dg.DagsterInstance, **config: int) -> dg.ExecuteInProcessResult:
    return maintain_org.execute_in_process(
        instance=instance,
        resources={"platform": Platform()},
        run_config=dg.RunConfig({"maintain_tables": Upkeep(org="acme", **config)}),
        raise_on_error=False,
    )


def test_a_night_merges_files_removes_orphans_and_says_so_on_each_table(
    week: Week, instance: dg.DagsterInstance
) -> None:
    assert week.run(instance, ["esp_events", "custom_events"]).success
    folder = week.lake / "acme" / "custom_events" / f"event_date={DAYS.first}"
    assert len(list(folder.glob("*.parquet"))) == 2, "one file a door"
    orphan = folder / "part-killed-0.parquet"
    shutil.copy(next(folder.glob("*.parquet")), orphan)
    eight_days_ago = time.time() - 8 * 86_400
    os.utime(orphan, (eight_days_ago, eight_days_ago))
    result = maintain(instance)
    assert result.success
    assert not orphan.exists()
    observations = [
        event.asset_observation_data.asset_observation
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION
    ]
    observed = {one.asset_key.path[-1]: one.metadata for one in observations}
    assert set(observed) == set(TABLES)
    assert observed["custom_events"]["days merged"].value == len(DAYS)
    assert observed["custom_events"]["files removed"].value == 1
    after = week.run(instance, ["attributed_events", "unified_events", "attribution_metrics"])
    assert after.success, "the checks find nothing wrong with merged files"


def test_a_table_that_is_being_written_is_left_for_the_next_night(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "WAIT_SECONDS", 0.0)
    writer = run_of(instance)
    with slot(instance, writer, pool_of("acme", ESP_EVENTS), wait_seconds=0) as is_held:
        assert is_held
        result = maintain(instance)
    assert result.success
    (output,) = [event for event in result.all_events if event.is_successful_output]
    said = output.step_output_data.metadata
    assert said["esp_events"].value == "skipped: being written"
    assert "days merged" in str(said["custom_events"].value)


def test_maintenance_and_a_writer_share_one_pool(week: Week, instance: dg.DagsterInstance) -> None:
    pools = {
        op.pool for asset in org_assets(week.org("acme")) if isinstance(asset, dg.AssetsDefinition) for op in [asset.op]
    }
    assert pool_of("acme", ESP_EVENTS) in pools


def test_a_slot_is_waited_for_and_freed(instance: dg.DagsterInstance) -> None:
    first, second = (run_of(instance) for _ in range(2))
    order: list[str] = []

    def late() -> None:
        with slot(instance, second, "acme_esp_events", wait_seconds=30, sleep=lambda _: time.sleep(0.05)) as is_held:
            order.append(f"second {is_held}")

    with slot(instance, first, "acme_esp_events", wait_seconds=0) as is_held:
        assert is_held
        thread = threading.Thread(target=late)
        thread.start()
        time.sleep(0.3)
        order.append("first done")
    thread.join(30)
    assert order == ["first done", "second True"]


def test_pools_have_their_rows_before_runs_need_them(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("acme_esp_events", 3)
    for _ in range(2):
        ensure_pools(instance, ["acme_esp_events", "acme_custom_events"])
    limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    assert limits == {"acme_esp_events": 3, "acme_custom_events": 1}


def test_a_slot_is_freed_by_a_failure(instance: dg.DagsterInstance) -> None:
    first, second = (run_of(instance) for _ in range(2))
    with pytest.raises(RuntimeError), slot(instance, first, "acme_esp_events", wait_seconds=0):
        raise RuntimeError
    with slot(instance, second, "acme_esp_events", wait_seconds=0) as is_held:
        assert is_held


@pytest.mark.parametrize("config", [{"retention_days": 6}, {"target_mb": 64}, {"target_mb": 1024}])
def test_unsafe_settings_are_refused(config: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Upkeep(org="acme", **config)


def test_every_org_has_a_run_a_night_with_its_tag(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUSTAI_RETENTION_DAYS", "30")
    schedule = maintenance_schedule([week.org("acme"), week.org("globex")])
    at = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 8, 3, tzinfo=UTC))
    requests = list(schedule.evaluate_tick(at).run_requests or [])
    assert [request.tags["org"] for request in requests] == ["acme", "globex"]
    assert [request.run_key for request in requests] == ["acme:2026-01-08", "globex:2026-01-08"]
    assert all(request.run_config["ops"]["maintain_tables"]["config"]["retention_days"] == 30 for request in requests)
