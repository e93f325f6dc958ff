from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from justai_assets.dag.daily_schedule import daily_refresh
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World


def requests(world: World, at: datetime) -> list[dg.RunRequest]:
    schedule = daily_refresh(list(world.orgs.values()))
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        found = schedule.evaluate_tick(context)
    return list(found.run_requests or [])


def ranges(found: list[dg.RunRequest]) -> dict[str, tuple[str, str]]:
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return {one.tags["org"]: (one.tags[start], one.tags[end]) for one in found if start in one.tags}


def test_each_org_gets_one_ranged_run_over_its_last_three_whole_days(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG)
    found = requests(world, datetime(2026, 1, 20, 5, tzinfo=UTC))
    assert ranges(found) == {"acme": ("2026-01-17", "2026-01-19"), "globex": ("2026-01-17", "2026-01-19")}
    assert sum("dagster/asset_partition_range_start" in one.tags for one in found) == 2
    keys = [one.run_key for one in found]
    assert len(set(keys)) == len(keys)
    (acme,) = [one for one in found if one.run_key == "acme:2026-01-20"]
    assert dg.AssetKey(["acme", "attribution_metrics"]) in (acme.asset_selection or [])
    assert all(key.path[0] == "acme" for key in acme.asset_selection or [])


def test_a_young_org_gets_the_days_it_has_and_one_too_young_none(world: World) -> None:
    world.add_org(WEBHOOK_ORG, start_date="2026-01-19")
    world.add_org(WEBHOOK_ORG, slug="newborn", start_date="2026-01-20")
    world.add_org(WEBHOOK_ORG, slug="unborn", start_date="2027-01-01")
    found = requests(world, datetime(2026, 1, 20, 5, tzinfo=UTC))
    assert ranges(found) == {"acme": ("2026-01-19", "2026-01-19")}
    assert {one.tags["org"] for one in found} == {"acme"}


def test_no_org_no_run(world: World) -> None:
    assert requests(world, datetime(2026, 1, 20, 5, tzinfo=UTC)) == []
