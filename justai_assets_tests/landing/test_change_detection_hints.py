"""Hints and manifests name days to a watched door: they save listing and waiting, and lose nothing."""

from __future__ import annotations

import json
from datetime import date, timedelta

from justai_assets.landing.day_changes import EMPTY
from justai_assets.landing.landing_paths import day_prefix, door_prefix
from justai_assets.landing.org_changes import Hints, Watched
from justai_assets.landing.sensor_cursor import decode
from justai_assets_tests.landing.watcher import DOOR, SETTLING, Watcher, ahead, days_before_now, put


def test_a_manifest_that_comes_late_reopens_the_days_of_which_it_leaves_out_a_file(watcher: Watcher) -> None:
    world = watcher.world
    for day in ("2026-01-05", "2026-01-06"):
        put(world, "acme", day)
    put(world, "acme", "2026-01-06", "stale", "0001_part_00.parquet")
    assert len(watcher.reported()) == 2
    entries = [{"url": f"s3://b/{day_prefix(DOOR, 'acme', date(2026, 1, day))}/0000_part_00.parquet"} for day in (5, 6)]
    world.landing.write(f"{door_prefix(DOOR, 'acme')}/manifest", json.dumps({"entries": entries}).encode())
    assert watcher.reported(now=ahead(hours=2)) == [("acme", "2026-01-06")]
    world.landing.write(f"{door_prefix(DOOR, 'acme')}/manifest", b"{broken")
    assert watcher.reported(now=ahead(hours=4)) == [("acme", "2026-01-06")], "nothing is left out any more"


def test_a_day_that_a_manifest_announces_and_that_never_came_is_reported(watcher: Watcher) -> None:
    (recent,) = days_before_now(1)
    entry = {"url": f"s3://b/{day_prefix(DOOR, 'acme', date.fromisoformat(recent))}/0000_part_00.parquet"}
    manifest = f"{door_prefix(DOOR, 'acme')}/manifest"
    watcher.world.landing.write(manifest, json.dumps({"entries": [entry]}).encode())
    ((_, day, version),) = watcher.tick().reports
    assert (str(day.day), day.data) == (recent, ())
    assert version != EMPTY
    assert watcher.reported() == []
    put(watcher.world, "acme", recent)
    assert watcher.reported() == [("acme", recent)]


def test_a_drop_whose_manifest_is_there_does_not_wait(watcher: Watcher) -> None:
    watcher.orgs = {"acme": SETTLING}
    key = put(watcher.world, "acme", "2026-01-05")
    assert watcher.reported() == []
    entry = {"url": f"s3://b/{key}", "meta": {"content_length": 1}}
    watcher.world.landing.write(f"{door_prefix(DOOR, 'acme')}/manifest", json.dumps({"entries": [entry]}).encode())
    assert watcher.reported(hints=Hints(sweep=["acme"])) == [("acme", "2026-01-05")]


def test_hints_are_listed_while_recent_days_are_not(watcher: Watcher) -> None:
    (recent,) = days_before_now(1)
    watcher.tick()
    put(watcher.world, "acme", recent)
    put(watcher.world, "acme", "2026-01-05")
    alive = Hints(is_alive=True, note=1)
    assert watcher.reported(hints=alive) == []
    hinted = Hints({"acme": [date(2026, 1, 5)]}, note=2, is_alive=True)
    assert watcher.reported(hints=hinted) == [("acme", "2026-01-05")]
    assert decode(watcher.cursor).hint == 2
    assert watcher.reported(hints=Hints(note=2)) == [("acme", recent)], "a queue that is not read is not waited for"


def test_a_hint_for_a_day_that_has_not_settled_is_followed_until_it_has(watcher: Watcher) -> None:
    watcher.orgs = {"acme": SETTLING}
    watcher.tick()
    put(watcher.world, "acme", "2026-01-05")
    hinted = Hints({"acme": [date(2026, 1, 5)]}, note=2, is_alive=True)
    assert watcher.reported(hints=hinted) == []
    assert watcher.reported(now=ahead(minutes=6), hints=Hints(note=2, is_alive=True)) == [("acme", "2026-01-05")]


def test_a_hint_that_a_tick_did_not_come_to_leads_to_a_sweep(watcher: Watcher) -> None:
    watcher.tick()
    put(watcher.world, "acme", "2026-01-05")
    hinted = Hints({"acme": [date(2026, 1, 5)]}, note=2, is_alive=True)
    assert watcher.reported(hints=hinted, budget=timedelta(0)) == []
    assert watcher.reported(hints=Hints(note=2, is_alive=True)) == [("acme", "2026-01-05")]


def test_a_start_that_moved_sweeps_the_org_at_once_and_reports_its_undated_records_once(watcher: Watcher) -> None:
    put(watcher.world, "acme", None)
    put(watcher.world, "acme", "2025-12-30")
    alive = Hints(is_alive=True)
    assert watcher.reported(hints=alive) == [("acme", "None")]
    assert watcher.reported(hints=alive) == []
    for start, found in ((date(2025, 12, 30), ["2025-12-30", "None"]), (date(2026, 1, 3), ["None"])):
        watcher.orgs = {"acme": Watched(start)}
        assert watcher.reported(hints=alive, limit=1) == [("acme", found[0])]
        assert watcher.reported(hints=alive) == [("acme", day) for day in found[1:]], "what the limit held back"
        assert watcher.reported(hints=alive) == []


def test_a_start_that_moved_reports_nothing_of_an_org_without_undated_records(watcher: Watcher) -> None:
    put(watcher.world, "acme", "2026-01-05")
    assert watcher.reported() == [("acme", "2026-01-05")]
    watcher.orgs = {"acme": Watched(date(2025, 12, 30))}
    assert watcher.reported() == []


def test_a_tick_that_dies_after_the_start_moved_repeats_its_report(watcher: Watcher) -> None:
    put(watcher.world, "acme", None)
    assert watcher.reported() == [("acme", "None")]
    watcher.orgs = {"acme": Watched(date(2025, 12, 30))}
    assert watcher.reported(is_crash=True) == [("acme", "None")]
    assert watcher.reported() == [("acme", "None")]
    assert watcher.reported() == []
