"""What fails between landed files and the tables leaves what was there, and says so."""

from __future__ import annotations

from datetime import date

import pytest

from justai_assets.contract.errors import StorageError, TransientStorageError
from justai_assets.contract.tables import (
    ESP_EVENTS,
    UNIFIED_EVENTS,
)
from justai_assets_tests.e2e.week import IDS, assert_same, land_a_week, snapshot
from justai_assets_tests.world import WEBHOOK_ORG, World, esp


def test_a_file_that_vanishes_empties_its_day(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    key = world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert world.table(UNIFIED_EVENTS).height == 1
    world.land("iterable_webhooks", "acme", "2026-01-09", [])
    world.landing.delete(key)
    assert world.materialize("2026-01-05", "2026-01-05")
    assert world.table(UNIFIED_EVENTS).is_empty()


def test_a_door_that_lost_every_object_fails_instead_of_emptying_the_lake(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_org(WEBHOOK_ORG)
    key = world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    assert world.materialize("2026-01-05", "2026-01-05")
    world.landing.delete(key)
    assert not world.materialize("2026-01-05", "2026-01-05")
    said = capsys.readouterr().err
    assert "iterable_webhooks of acme holds no object at all, and 1 records on 2026-01-05 came from it" in said
    assert "webhooks/iterable/acme/ there; if it is meant, materialize with --accept-empty" in said
    assert world.table(UNIFIED_EVENTS).height == 1
    assert world.materialize("2026-01-05", "2026-01-05", accept_empty=True)
    assert world.table(UNIFIED_EVENTS).is_empty()


def test_a_landing_root_that_is_not_there_is_no_empty_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    assert world.materialize("2026-01-05", "2026-01-05")
    before = snapshot(world)
    monkeypatch.setenv("JUSTAI_LANDING", str(world.folder / "landnig"))
    with pytest.raises(StorageError, match=r"no folder .*landnig .*JUSTAI_LANDING"):
        world.materialize("2026-01-05", "2026-01-05")
    assert_same(before, snapshot(world))
    assert not (world.folder / "landnig").exists()


def test_a_failure_midway_leaves_the_previous_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from justai_assets.sources import intake_build as build

    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    assert world.materialize("2026-01-05", "2026-01-07")
    before = snapshot(world)
    files = sorted(path for path in world.folder.glob("lake/**/*.parquet"))
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)], "more")
    real = build.open_day

    def failing(*arguments, **named):
        if arguments[3] == date(2026, 1, 7):
            raise StorageError("the bucket is gone")
        return real(*arguments, **named)

    monkeypatch.setattr(build, "open_day", failing)
    assert not world.materialize("2026-01-05", "2026-01-07", "esp_events")

    assert_same(before, snapshot(world))
    assert sorted(path for path in world.folder.glob("lake/**/*.parquet")) == files, "files of the failed run remain"


def test_a_transient_failure_is_tried_again_and_a_lasting_one_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.sources import intake_build as build

    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    errors = [TransientStorageError("away"), ConnectionResetError("away")]
    calls = []
    real = build.open_day

    def flaky(*arguments, **named):
        calls.append(arguments)
        if errors:
            raise errors.pop()
        return real(*arguments, **named)

    monkeypatch.setattr(build, "open_day", flaky)
    assert world.materialize("2026-01-05", "2026-01-05", "esp_events")
    assert len(calls) == 3

    errors.append(StorageError("forbidden"))
    assert not world.materialize("2026-01-05", "2026-01-05", "esp_events")
    assert len(calls) == 4


def test_the_blocking_check_stops_what_is_downstream_when_a_row_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.sources import intake

    world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    real = intake._intake

    def losing(*arguments, **named):
        found = real(*arguments, **named)
        return intake.Intake(found.received, found.accepted.slice(1), found.rejected, found.duplicates, found.landed)

    monkeypatch.setattr(intake, "_intake", losing)

    assert not world.materialize("2026-01-05", "2026-01-05")

    assert world.table(ESP_EVENTS).height == 79  # written, and blocked there
    assert world.table(UNIFIED_EVENTS).is_empty()


def test_the_check_fails_when_a_table_was_changed_behind_its_back(world: World) -> None:
    import dagster as dg

    from justai_assets.contract.days import Days
    from justai_assets.dag.location import location
    from justai_assets.orgs.org_loader import Orgs

    org = world.add_org(WEBHOOK_ORG)
    land_a_week(world)
    assert world.materialize("2026-01-05", "2026-01-05")
    days = Days.parse("2026-01-05", "2026-01-05")
    with world.lake.replacing("acme", ESP_EVENTS, days) as writer:
        writer.write(days.first, world.lake.scan("acme", ESP_EVENTS, days).collect().head(70))
    job = location(Orgs({"acme": org}, {})).resolve_implicit_global_asset_job_def()
    check = dg.AssetCheckKey(dg.AssetKey(["acme", "esp_events"]), "conservation")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.get_subset(asset_selection=set(), asset_check_selection={check}).execute_in_process(
            instance=instance, partition_key="2026-01-05", raise_on_error=False
        )
    (evaluation, *_) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "accepted 80, but the table holds 70" in str(evaluation.metadata["problems"].value)
