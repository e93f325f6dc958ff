"""A door watched under a time budget: a tick ends in time, and every tick gets on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count

import pytest

from justai_assets.landing import content_hash as contents
from justai_assets.landing import org_changes as visiting
from justai_assets.landing import source_listing as surveys
from justai_assets.landing.org_changes import Cache
from justai_assets.landing.sensor_cursor import decode
from justai_assets_tests.landing.watcher import AT_ONCE, Watcher, ahead, days_before_now, put
from justai_assets_tests.world import World


def test_when_time_runs_out_the_next_tick_begins_where_this_one_stopped(watcher: Watcher) -> None:
    watcher.orgs = {f"org-{n:02d}": AT_ONCE for n in range(20)}
    for slug in watcher.orgs:
        put(watcher.world, slug, "2026-01-05")
    found: list[str] = []
    for _ in range(20):
        # Each look at the clock takes ten seconds: a tick comes to a few orgs.
        seconds = iter(range(0, 10_000, 10))
        tick = watcher.tick(clock=lambda seconds=seconds: float(next(seconds)))
        assert tick.visited < 20
        found += [slug for slug, _, _ in tick.reports]
        if len(found) == 20:
            break
    assert sorted(found) == sorted(watcher.orgs)


def test_a_sweep_that_is_cut_off_goes_on_where_it_stopped(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "CHECK_EVERY", 5)
    expected = [("acme", f"2026-01-{day:02d}") for day in range(1, 13)]
    for _, day in expected:
        for part in range(3):
            put(watcher.world, "acme", day, name=f"{part}.parquet")
    found: Sequence[tuple[str, str]] = ()
    for _ in range(20):
        seconds = iter([0, 0, *([100] * 1000)])
        # Only the listing is under test: whatever was listed is read.
        monkeypatch.setattr(visiting, "READING", timedelta(days=1))
        found = [*found, *watcher.reported(clock=lambda seconds=seconds: float(next(seconds)))]
        if decode(watcher.cursor).places["acme"].resume is None:
            break
        assert found[-1] != expected[-1]
    assert found == expected


def test_a_look_at_recent_days_that_is_cut_off_goes_on_where_it_stopped(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys, "CHECK_EVERY", 5)
    watcher.tick()
    days = days_before_now(3, 2, 1)
    for day in days:
        for part in range(6):
            put(watcher.world, "acme", day, name=f"{part}.parquet")
    found = watcher.reported(clock=late_from_the_third_look())
    assert found
    assert len(found) < len(days)
    assert [day for _, day in (*found, *watcher.reported())] == days


def late_from_the_third_look() -> Callable[[], float]:
    seconds = iter([0.0, 0.0])
    return lambda: next(seconds, 100.0)


def test_on_disk_a_tick_keeps_to_its_budget_whatever_lies_there_and_every_tick_gets_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "STRETCH", 10)
    watcher = Watcher(world, {"acme": AT_ONCE})
    days = [f"2026-01-{day:02d}" for day in range(1, 7)]
    for day in days:
        put(world, "acme", day, day * 10)
    ticks = []
    while not ticks or len([one for tick in ticks for one in tick]) < len(days):
        assert len(ticks) < 50
        seconds = count(0, 10)
        ticks.append([day for _, day in watcher.reported(clock=lambda seconds=seconds: float(next(seconds)))])
    assert [day for tick in ticks for day in tick] == days
    assert max(len(tick) for tick in ticks) == 1
    assert [] in ticks, "a day of ten stretches takes more than one tick"
    watcher.cache = Cache()
    assert watcher.reported(now=ahead(hours=2)) == []
