"""A change of salt, rule or code is seen: what it made is refused, listed and rebuilt, through real runs."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, TABLES, UNIFIED_EVENTS, Table
from justai_assets.dag.backfills import plan_backfill
from justai_assets.dag.headless import materialize_days
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.outdated_days import UNSTAMPED, outdated_days
from justai_assets.lake.stamp import stamp_of
from justai_assets.quality.org_status import read_status, show_status
from justai_assets.reporting.terminal_tables import show_fates
from justai_assets.settings import Settings
from justai_assets.sources.lineage import org_tables
from justai_assets_tests.conftest import copied_world, make_world
from justai_assets_tests.lake.test_broken_off import BrokenOffError, ending_before
from justai_assets_tests.world import TODAY, WEBHOOK_ORG, World, esp, journey

TEMPLATE = {"id": "t", "treatment": {"template_id": "1", "campaign_id": "2"}}
ALL = Days.parse("2026-01-01", "2026-01-06")


@pytest.fixture(scope="module")
def built_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sends on the 4th, purchases of the same people on the 5th and 6th; everything is built."""
    folder = tmp_path_factory.mktemp("outdated")
    with pytest.MonkeyPatch.context() as patch:
        build(make_world(folder, str(folder / "landing"), str(folder / "lake"), patch))
    return folder


@pytest.fixture
def built(built_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return copied_world(built_folder, tmp_path, monkeypatch)


def build(world: World) -> None:
    world.add_org(WEBHOOK_ORG, templates=[TEMPLATE], attribution={"window_hours": 72})
    sends = [
        esp("emailSend", f"2026-01-04 10:00:{n:02}", f"p{n}@example.com", messageId=f"m{n}", campaignId=2, templateId=1)
        for n in range(5)
    ]
    world.land("iterable_webhooks", "acme", "2026-01-04", sends)
    for day in ("2026-01-05", "2026-01-06"):
        world.land(
            "journey_webhooks", "acme", day, [journey(f"{day} 09:00:{n:02}", f"p{n}@example.com") for n in range(5)]
        )
    assert world.materialize("2026-01-01", "2026-01-06")
    assert attributed(world) == 10


def attributed(world: World) -> int:
    return int(world.table(ATTRIBUTED_EVENTS)["is_attributed"].sum())


def said(world: World, days: Days, *names: str) -> tuple[bool, str]:
    text = io.StringIO()
    console = Console(file=text, width=200, soft_wrap=True)
    done = materialize_days(world.orgs["acme"], days, names, today=TODAY, console=console)
    return done, text.getvalue()


def outdated(world: World) -> dict[str, dict[date, tuple[str, ...]]]:
    org = world.orgs["acme"]
    found = {table.name: dict(outdated_days(org, world.lake, table)) for table in org_tables(org)}
    return {name: days for name, days in found.items() if days}


def change(world: World, **changes: object) -> None:
    world.add_org(WEBHOOK_ORG, **{"templates": [TEMPLATE], "attribution": {"window_hours": 72}, **changes})


def test_every_day_of_every_table_says_by_what_it_was_made(built: World) -> None:
    org = built.orgs["acme"]
    for table in org_tables(org):
        stamps = BuiltDays.of(built.lake, "acme", table).stamps
        assert set(ALL) <= stamps.keys(), table.name
        salts = {one.salt for one in stamps.values() if one is not None}
        assert {(one.code, one.rule) for one in stamps.values() if one is not None} == {
            (table.code_version, stamp_of(org, table).rule)
        }, table.name
        assert None not in stamps.values() and len(salts) == 1, table.name
        log = built.lake.open("acme", table)
        assert log is not None
        assert log.history(1)[0]["rule"] == stamp_of(org, table).rule
    assert outdated(built) == {}


def test_a_lookback_across_two_salts_is_refused_and_the_fix_works(
    built: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_SALT", "quite-another-salt-for-tests")
    done, text = said(built, Days.parse("2026-01-06", "2026-01-06"))
    assert not done
    assert "esp_events of 2026-01-03 … 2026-01-05 hold pseudonyms of another salt" in text
    assert "put the old salt back" in text
    assert "justai backfill --org acme --from 2026-01-01 --to 2026-01-06 --only-outdated" in text
    assert attributed(built) == 10, "nothing was written"
    assert said(built, ALL)[0]
    assert attributed(built) == 10
    assert outdated(built) == {}


def test_a_changed_rule_is_listed_with_the_tables_that_depend_on_it(built: World) -> None:
    change(built, attribution={"window_hours": 24})
    found = outdated(built)
    assert set(found) == {
        "attributed_events", "unified_events", "attribution_metrics", "message_outcomes", "copy_daily",
    }  # fmt: skip
    assert all(what == ("rule",) and set(days) == set(ALL) for days in found.values() for what in days.values())
    status = read_status(
        Settings.from_environment(), [built.orgs["acme"]], now=datetime(2026, 1, 6, 12, tzinfo=UTC), days_back=3
    )
    text = io.StringIO()
    show_status(status, {}, datetime(2026, 1, 6, 12, tzinfo=UTC), Console(file=text, width=200))
    assert "outdated: acme/attributed_events: 2026-01-01 … 2026-01-06 (rule)" in text.getvalue()
    assert "justai backfill --org acme --from 2026-01-01 --to 2026-01-06 --only-outdated" in text.getvalue()
    assert said(built, ALL)[0]
    assert outdated(built) == {}
    assert attributed(built) == 5


def test_another_version_of_the_code_makes_its_table_outdated(built: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = built.orgs["acme"]
    newer = replace(UNIFIED_EVENTS, code_version=2)
    assert set(outdated_days(org, built.lake, newer).values()) == {("code",)}


def test_days_from_before_the_stamps_are_listed_as_such(built: World) -> None:
    day = Days.parse("2026-01-05", "2026-01-05")
    rows = built.lake.scan("acme", UNIFIED_EVENTS, day).collect()
    with built.lake.replacing("acme", TABLES["fates"], day, partition={"asset": "unified_events"}) as writer:
        fates = built.lake.scan("acme", TABLES["fates"], day).collect()
        writer.write(day.first, fates.filter(fates["asset"] == "unified_events"))
    assert outdated(built) == {"unified_events": {day.first: (UNSTAMPED,)}}
    assert built.lake.scan("acme", UNIFIED_EVENTS, day).collect().equals(rows)


def test_only_outdated_days_and_those_below_them_are_backfilled(built: World) -> None:
    change(built, attribution={"window_hours": 24})
    some = Days.parse("2026-01-05", "2026-01-06")
    assert said(built, some, *(table.name for table in org_tables(built.orgs["acme"])))[0]
    with dg.DagsterInstance.ephemeral() as instance:
        plan = plan_backfill(instance, built.orgs["acme"], ALL, "outdated", today=TODAY)
    planned = {key.path[-1]: days for key, days in plan.days_by_table.items()}
    assert "esp_events" not in planned
    assert planned["attributed_events"] == tuple(Days.parse("2026-01-01", "2026-01-04"))
    assert set(planned["copy_daily"]) >= set(planned["attributed_events"])


@pytest.mark.parametrize("table", [ESP_EVENTS, CUSTOM_EVENTS], ids=lambda table: table.name)
def test_a_day_that_is_half_written_is_not_read_and_the_fix_is_named(
    table: Table, built: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.dag.table_asset.BETWEEN_COMMITS", 0.0)
    day = Days.parse("2026-01-05", "2026-01-05")
    with ending_before(2, monkeypatch), pytest.raises(BrokenOffError):
        half_write(built, table, day)
    done, text = said(built, Days.parse("2026-01-05", "2026-01-06"), "attributed_events")
    assert not done
    assert f"acme/{table.name} of 2026-01-05 is half written" in text
    assert f"justai materialize --org acme --from 2026-01-05 --to 2026-01-05 --asset {table.name}" in text
    shown = io.StringIO()
    show_fates(Settings.from_environment(), [built.orgs["acme"]], ALL, Console(file=shown, width=200))
    assert f"acme/{table.name} of 2026-01-05: a run ended between its commits" in shown.getvalue()
    assert said(built, day, table.name)[0]
    assert said(built, Days.parse("2026-01-05", "2026-01-06"), "attributed_events")[0]


def half_write(world: World, table: Table, day: Days) -> None:
    from justai_assets.sources.intake_build import build_from_doors

    doors = ("iterable_webhooks",) if table is ESP_EVENTS else ("journey_webhooks", "redshift")
    # A day that had no rows and has none now is whole, whenever its run ended.
    world.land("iterable_webhooks", "acme", day.first, [esp("emailSend", "2026-01-05 11:00:00", messageId="late")])
    build_from_doors(world.orgs["acme"], world.landing, world.lake, table, doors, day)
