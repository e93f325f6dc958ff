"""One org's broken file, secret or drop stops that org, visibly, and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.org_loader import load_orgs
from justai_assets_tests.dag.test_source_sensor import Sensors, names
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

DAY = datetime.now(UTC).date() - timedelta(days=1)


def land(world: World, slug: str) -> None:
    world.land("iterable_webhooks", slug, DAY, [esp("emailSend", f"{DAY} 10:00:00", messageId="m" * 32)])


def run(world: World, slug: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    definitions = location(load_orgs(world.folder / "orgs"))
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey([slug, "esp_events"])],
        instance=instance,
        tags=range_tags(Days(DAY, DAY)),
        raise_on_error=False,
    )


@pytest.fixture
def two(world: World) -> World:
    world.add_org(WEBHOOK_ORG)
    world.add_org({**WEBHOOK_ORG, "slug": "initech", "pseudonym_salt": "env:INITECH_SALT"})
    for slug in world.orgs:
        land(world, slug)
    return world


def rows(world: World, slug: str) -> int:
    return world.lake.scan(slug, ESP_EVENTS).collect().height


def test_a_missing_secret_fails_its_own_orgs_day_with_a_mend(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INITECH_SALT", raising=False)
    instance = dg.DagsterInstance.ephemeral()
    broken, fine = run(two, "initech", instance), run(two, "acme", instance)
    assert not broken.success
    assert fine.success
    assert rows(two, "acme") == 1
    (failure,) = [event for event in broken.all_events if event.is_step_failure]
    assert "set the environment variable INITECH_SALT" in failure.step_failure_data.user_failure_data.description
    assert not [event for event in broken.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_broken_yaml_is_an_asset_to_be_seen_and_the_others_load_sense_and_run(two: World) -> None:
    (two.folder / "orgs" / "initech.yaml").write_text("slug: initech\nstart_date: [", encoding="utf-8")
    orgs = load_orgs(two.folder / "orgs")
    graph = location(orgs).resolve_asset_graph()
    assert dg.AssetKey(["broken_org_files", "initech"]) in graph.get_all_asset_keys()
    assert dg.AssetKey(["initech", "esp_events"]) not in graph.get_all_asset_keys()
    two.orgs = orgs.by_slug
    assert names(Sensors(two).tick("watch_iterable_webhooks")) == [("acme/iterable_webhooks", str(DAY))]
    assert run(two, "acme", dg.DagsterInstance.ephemeral()).success
    assert rows(two, "acme") == 1


def test_an_org_that_was_broken_goes_on_where_it_stood_once_mended(two: World) -> None:
    sensors = Sensors(two)
    assert len(names(sensors.tick("watch_iterable_webhooks"))) == 2
    cursors, orgs = sensors.cursors, two.orgs
    two.orgs = {"acme": orgs["acme"]}
    without = Sensors(two)
    without.cursors = cursors
    assert names(without.tick("watch_iterable_webhooks")) == []
    two.orgs = orgs
    mended = Sensors(two)
    mended.cursors = without.cursors
    assert names(mended.tick("watch_iterable_webhooks")) == []


def test_a_file_that_cannot_be_read_is_counted_in_its_own_org_and_the_rest_of_the_day_goes_on(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INITECH_SALT", "another-salt")
    folder = f"webhooks/iterable/initech/event_date={DAY}"
    two.landing.write(f"{folder}/broken.jsonl.zst", b"this is no zstandard frame")
    instance = dg.DagsterInstance.ephemeral()
    assert run(two, "acme", instance).success
    assert run(two, "initech", instance).success
    assert (rows(two, "acme"), rows(two, "initech")) == (1, 1)
    record = instance.get_latest_materialization_event(dg.AssetKey(["initech", "esp_events"]))
    assert record is not None
    metadata = record.asset_materialization.metadata
    assert metadata["quarantined"].value == 1
