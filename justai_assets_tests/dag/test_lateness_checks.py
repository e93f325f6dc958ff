"""A door that is late shows as such: by the freshness of what was reported, and by a check on what lies there."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.workspace.context import LoadingContext

from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.dag import lateness_checks as late_doors
from justai_assets.dag.lateness_checks import JOB, NAME
from justai_assets.dag.location import location
from justai_assets.orgs.org_loader import Orgs
from justai_assets.quality.punctuality import DoorStatus
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

NOW = datetime.now(UTC)
SHARE_ORG = {
    **UNIFIED_ORG,
    "slug": "umbra",
    "engagement": "delta_share",
    "sources": {"delta_share": {"profile": "file:x", "table": "a.b.c"}},
}


def land(world: World, door: str, *, hours_ago: int) -> None:
    at = NOW - timedelta(hours=hours_ago)
    key = world.land(door, "acme", str(at.date()), [esp("emailSend", "2026-01-05 10:00:00")])
    os.utime(world.landing.local(key), (at.timestamp(), at.timestamp()))


def checked(world: World) -> dict[str, dg.AssetCheckEvaluation]:
    job = location(Orgs(world.orgs, {})).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    assert result.success
    return {"/".join(one.asset_key.path): one for one in result.get_asset_check_evaluations()}


def verdicts(world: World) -> dict[str, object]:
    return {key: one.passed or one.severity for key, one in checked(world).items()}


def test_each_door_of_each_org_is_judged_by_what_landed_last(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG, start_date=NOW.date())
    world.add_org(SHARE_ORG)
    land(world, "iterable_webhooks", hours_ago=3)
    land(world, "journey_webhooks", hours_ago=30)
    assert verdicts(world) == {
        "acme/iterable_webhooks": True,
        "acme/journey_webhooks": dg.AssetCheckSeverity.WARN,
        "acme/redshift_drop": dg.AssetCheckSeverity.ERROR,
        "globex/databricks_drop": True,
        "umbra/delta_share": dg.AssetCheckSeverity.ERROR,
    }


def test_what_it_says_tells_a_silent_door_from_one_that_never_landed(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    land(world, "journey_webhooks", hours_ago=24 * 40)
    found = checked(world)
    assert found["acme/journey_webhooks"].description == "nothing has landed for 960 hours"
    assert found["acme/journey_webhooks"].metadata["last day"].value == str((NOW - timedelta(days=40)).date())
    assert found["acme/redshift_drop"].description == "nothing ever landed"


def test_a_door_that_cannot_be_listed_fails_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_org(WEBHOOK_ORG)
    land(world, "iterable_webhooks", hours_ago=3)
    real = late_doors.door_status

    def denied(landing: object, slug: str, door: str, *more: object) -> DoorStatus:
        if door == "redshift":
            raise StorageError("listing redshift/acme/: access denied", mend="check the role")
        return real(landing, slug, door, *more)

    monkeypatch.setattr(late_doors, "door_status", denied)
    found = checked(world)
    assert found["acme/redshift_drop"].description == "listing redshift/acme/: access denied (check the role)"
    assert found["acme/iterable_webhooks"].passed


def test_a_location_without_doors_has_nothing_to_look_at(world: World) -> None:
    found = location(Orgs({}, {}))
    assert JOB not in {one.name for one in found.resolve_all_job_defs()}


class Loading(LoadingContext):
    """What the freshness daemon reads the instance through."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self._loaders = instance, {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict:
        return self._loaders


def freshness(world: World, key: dg.AssetKey, monkeypatch: pytest.MonkeyPatch, *hours: int) -> list[FreshnessState]:
    """How an asset looks so many hours after something was reported of it."""
    node = location(Orgs(world.orgs, {})).resolve_asset_graph().get(key)
    evaluate = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness
    found = []
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2026-01-05"))
        reported = datetime.now(UTC).timestamp()
        for number in hours:
            clock = "dagster._core.definitions.freshness_evaluator.get_current_timestamp"
            monkeypatch.setattr(clock, lambda number=number: reported + number * 3600 + 1)
            found.append(asyncio.run(evaluate(Loading(instance), node)))
    return found


def test_an_outside_asset_shows_as_late_after_a_day_and_failed_after_two(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(SHARE_ORG)
    for key in (["acme", "redshift_drop"], ["umbra", DELTA_SHARE.name]):
        states = freshness(world, dg.AssetKey(key), monkeypatch, 0, 25, 26, 49, 50)
        good, late, silent = FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL
        assert states == [good, good, late, late, silent], key


def test_every_outside_asset_has_the_policy_and_the_check_and_no_other_has(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(SHARE_ORG)
    found = location(Orgs(world.orgs, {}))
    outside = {"acme/iterable_webhooks", "acme/journey_webhooks", "acme/redshift_drop", "umbra/delta_share"}
    specs = found.resolve_all_asset_specs()
    assert {"/".join(one.key.path) for one in specs if one.freshness_policy is not None} == outside
    keys = found.resolve_asset_graph().asset_check_keys
    assert {"/".join(key.asset_key.path) for key in keys if key.name == NAME} == outside
