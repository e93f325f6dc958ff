"""What days need of those before them, and which later days they leave out of date."""

from __future__ import annotations

import io
import os
import time
from datetime import date

import dagster as dg
import pytest
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import MESSAGE_OUTCOMES, UNIFIED_EVENTS
from justai_assets.dag.headless import materialize_days
from justai_assets.dag.location import location
from justai_assets.dag.lookback import Lookback
from justai_assets.dag.org_keys import table_keys
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import TODAY, UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

DAY = Days.parse("2026-01-06", "2026-01-06")
BEFORE = [date(2026, 1, day) for day in (3, 4, 5)]


def lookback_of(world: World, slug: str = "acme") -> Lookback:
    return Lookback.of(world.orgs[slug])


def said(world: World, day: Days, *names: str) -> str:
    text = io.StringIO()
    console = Console(file=text, width=200, soft_wrap=True)
    assert materialize_days(world.orgs["acme"], day, names, today=TODAY, console=console)
    return text.getvalue()


def test_an_org_without_custom_events_looks_back_for_its_outcomes_alone(world: World) -> None:
    world.add_org(WEBHOOK_ORG, custom=[])
    assert lookback_of(world).reader is MESSAGE_OUTCOMES
    assert lookback_of(world).needed(world.lake, world.landing, DAY) == BEFORE


def test_days_before_the_org_began_are_not_needed(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    first = Days.parse("2026-01-01", "2026-01-03")
    assert lookback_of(world).needed(world.lake, world.landing, first) == []
    second = Days.parse("2026-01-02", "2026-01-03")
    assert lookback_of(world).needed(world.lake, world.landing, second) == [date(2026, 1, 1)]


@pytest.mark.parametrize("base", [WEBHOOK_ORG, UNIFIED_ORG], ids=["webhooks", "unified"])
def test_the_days_before_are_needed_until_they_are_built_and_again_when_something_lands(
    base: dict[str, object], world: World
) -> None:
    org = world.add_org(base)
    assert lookback_of(world, org.slug).needed(world.lake, world.landing, DAY) == BEFORE
    assert world.materialize("2026-01-03", "2026-01-05", org=org.slug)
    assert lookback_of(world, org.slug).needed(world.lake, world.landing, DAY) == []
    key = world.land(org.engagement, org.slug, "2026-01-04", ["{}"])
    later = time.time() + 5
    os.utime(world.landing.local(key), (later, later))
    assert lookback_of(world, org.slug).needed(world.lake, world.landing, DAY) == [date(2026, 1, 4)]


def test_what_is_built_beside_the_days_asked_for_is_said(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    text = said(world, DAY)
    assert "first esp_events of 2026-01-03 … 2026-01-05: 2026-01-06 looks 3 days back for sends" in text
    assert "never built" not in text
    assert "first" not in said(world, DAY), "they are built by now"
    assert "again attributed_events of 2026-01-06: the sends they stand on were built since" in said(
        world, Days.parse("2026-01-05", "2026-01-05")
    )


def test_a_table_asked_for_alone_is_built_alone_and_says_what_it_lacks(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    text = said(world, DAY, "attributed_events")
    assert "esp_events of 2026-01-03 … 2026-01-06 was never built: what was sent then is missing" in text
    assert "first esp_events" not in text


def test_a_day_built_alone_in_the_ui_is_marked_until_the_days_before_it_are_built(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.land("journey_webhooks", "acme", "2026-01-06", [journey("2026-01-06 10:00:00")])
    job = location(Orgs({"acme": org}, {})).resolve_implicit_global_asset_job_def()
    key = dg.AssetKey(["acme", "attributed_events"])

    def remarks(days: Days) -> str:
        with dg.DagsterInstance.ephemeral() as instance:
            done = job.execute_in_process(
                instance=instance, tags=range_tags(days), asset_selection=list(table_keys(org)), raise_on_error=False
            )
            assert done.success
            (record, *_) = instance.fetch_materializations(key, limit=1).records
            assert record.asset_materialization is not None
            found = record.asset_materialization.metadata.get("remarks")
            return "" if found is None else str(found.value)

    assert "esp_events of 2026-01-03 … 2026-01-05 was never built: build it, then this day again" in remarks(DAY)
    assert "never built" not in remarks(Days.parse("2026-01-03", "2026-01-06"))
    assert world.table(UNIFIED_EVENTS).is_empty()
