"""What a watched door remembers between ticks: a crash, a restart or a lost memory repeats reports and loses none."""

from __future__ import annotations

import pytest

from justai_assets.contract.errors import TransientStorageError
from justai_assets.landing import change_detection as watching
from justai_assets.landing import sensor_memory as memories
from justai_assets.landing.day_changes import Memory
from justai_assets.landing.org_changes import Cache
from justai_assets.landing.sensor_cursor import Cursor, decode
from justai_assets_tests.landing.watcher import AT_ONCE, DOOR, START, Watcher, ahead, days_before_now, put
from justai_assets_tests.world import World


def test_a_crash_between_report_and_cursor_repeats_and_never_loses(watcher: Watcher) -> None:
    (recent,) = days_before_now(1)
    put(watcher.world, "acme", recent)
    assert [str(day.day) for _, day, _ in watcher.tick(is_crash=True).reports] == [recent]
    assert watcher.reported() == [("acme", recent)]
    assert watcher.reported() == []


def test_a_day_reported_by_a_tick_that_died_is_reported_again_though_it_went_back_to_what_it_was(
    watcher: Watcher,
) -> None:
    (recent,) = days_before_now(1)
    put(watcher.world, "acme", recent, "first")
    watcher.tick()
    put(watcher.world, "acme", recent, "second")
    assert watcher.tick(is_crash=True).reports
    put(watcher.world, "acme", recent, "first")
    assert watcher.reported() == [("acme", recent)]


def test_two_slices_of_the_orgs_do_not_take_each_others_crash_for_their_own(any_world: World) -> None:
    (recent,) = days_before_now(1)
    one, other = (Watcher(any_world, {slug: AT_ONCE}, slice_name=slug) for slug in ("acme", "globex"))
    for slug in ("acme", "globex"):
        put(any_world, slug, recent, "first")
    one.tick()
    other.tick()
    put(any_world, "acme", recent, "second")
    assert one.tick(is_crash=True).reports
    put(any_world, "globex", recent, "second")
    assert other.tick().reports
    put(any_world, "acme", recent, "first")
    assert one.reported() == [("acme", recent)], "it was built from the second"


def test_a_restart_remembers_through_the_lake(watcher: Watcher) -> None:
    put(watcher.world, "acme", "2026-01-05")
    watcher.tick()
    again = Watcher(watcher.world, watcher.orgs, cursor=watcher.cursor)
    assert again.reported(now=ahead(hours=2)) == []


def test_a_lost_memory_reports_everything_again_and_says_so(watcher: Watcher) -> None:
    put(watcher.world, "acme", "2026-01-05")
    watcher.tick()
    name = decode(watcher.cursor).places["acme"].memory
    memories.discard(watcher.world.lake.root, DOOR, "acme", name)
    watcher.cache = Cache()
    tick = watcher.tick()
    assert [str(day.day) for _, day, _ in tick.reports] == ["2026-01-05"]
    assert "lost" in tick.remarks["acme"][0]


def test_replaced_memories_are_discarded_a_tick_later(watcher: Watcher) -> None:
    lake = watcher.world.lake.root
    for content in "abcd":
        put(watcher.world, "acme", days_before_now(1)[0], content)
        watcher.tick()
    watcher.tick()
    assert len(lake.list_flat(f"_sensors/{DOOR}/acme")) == 1


def test_a_damaged_intent_or_one_of_another_tick_demands_nothing(world: World) -> None:
    lake = world.lake.root
    assert memories.load_intent(lake, DOOR, 0) == {}
    memories.save_intent(lake, DOOR, 7, {"acme": [START, None]}, {"globex": [START]})
    assert memories.load_intent(lake, DOOR, 7) == {"acme": {START, None}, "globex": {START}}
    assert memories.load_intent(lake, DOOR, 8) == {"globex": {START}}
    assert memories.load_intent(lake, DOOR, 9) == {}
    lake.write(f"_sensors/{DOOR}/intent.json", b"{")
    assert memories.load_intent(lake, DOOR, 7) == {}


def test_the_lake_being_away_reports_nothing(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    put(watcher.world, "acme", "2026-01-05")

    def away(*_: object) -> str:
        raise TransientStorageError("the lake is away")

    with monkeypatch.context() as broken:
        broken.setattr(watching.memories, "save", away)
        tick = watcher.tick()
    assert tick.reports == []
    assert list(tick.failures) == ["acme"]
    assert watcher.reported() == [("acme", "2026-01-05")]


def test_the_first_tick_of_a_door_without_objects_remembers_that_there_were_none(watcher: Watcher) -> None:
    assert watcher.reported() == []
    cursor = decode(watcher.cursor)
    assert cursor != Cursor()
    assert memories.load(watcher.world.lake.root, DOOR, "acme", cursor.places["acme"].memory) == Memory(start=START)
