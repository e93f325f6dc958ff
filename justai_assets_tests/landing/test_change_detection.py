"""A door watched over many ticks, on disk and on S3: changed days are reported once, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from justai_assets.contract.errors import StorageError
from justai_assets.landing.day_changes import EMPTY
from justai_assets.landing.landing_paths import day_prefix, door_prefix
from justai_assets.landing.listing import stray_note
from justai_assets.landing.org_changes import Watched
from justai_assets.landing.sensor_cursor import encode
from justai_assets.storage import Root
from justai_assets_tests.landing.watcher import AT_ONCE, DOOR, SETTLING, START, Watcher, ahead, days_before_now, put
from justai_assets_tests.world import World


def test_landed_days_are_reported_once_and_again_when_their_content_changes(watcher: Watcher) -> None:
    world = watcher.world
    first, second = days_before_now(2, 1)
    for day in (first, second):
        put(world, "acme", day)
    assert watcher.reported() == [("acme", first), ("acme", second)]
    assert watcher.reported() == []
    put(world, "acme", first, "new content, same key")
    assert watcher.reported() == [("acme", first)]
    put(world, "acme", first, "new content, same key")
    assert watcher.reported() == [], "the same bytes again"
    assert watcher.reported(now=ahead(hours=2)) == [], "nor in a sweep"


def test_a_drop_waits_until_it_has_settled(watcher: Watcher) -> None:
    watcher.orgs = {"acme": SETTLING}
    (recent,) = days_before_now(1)
    put(watcher.world, "acme", recent)
    assert watcher.reported() == []
    assert watcher.reported(now=ahead(minutes=4)) == []
    assert watcher.reported(now=ahead(minutes=6)) == [("acme", recent)]
    put(watcher.world, "acme", recent, "y")
    assert watcher.reported() == []
    assert watcher.reported(now=ahead(minutes=6)) == [("acme", recent)]


def test_an_old_day_is_found_by_the_sweep_within_the_hour(watcher: Watcher) -> None:
    put(watcher.world, "acme", "2026-01-05")
    assert watcher.reported() == [("acme", "2026-01-05")]
    put(watcher.world, "acme", "2026-01-05", "late")
    put(watcher.world, "acme", "2026-01-07", "late")
    found = watcher.reported(now=ahead(minutes=61))
    assert found == [("acme", "2026-01-05"), ("acme", "2026-01-07")]


def test_a_day_whose_files_vanish_is_reported_empty(watcher: Watcher) -> None:
    (recent,) = days_before_now(1)
    key = put(watcher.world, "acme", recent)
    watcher.tick()
    watcher.orgs = {"acme": SETTLING}
    watcher.world.landing.delete(key)
    assert watcher.reported() == [], "an overwrite deletes before it writes"
    ((slug, day, version),) = watcher.tick(now=ahead(minutes=6)).reports
    assert (slug, str(day.day), version, day.data) == ("acme", recent, EMPTY, ())
    assert watcher.reported(now=ahead(hours=3)) == []


def test_what_a_dead_tick_may_have_reported_is_owed_until_its_org_can_be_listed(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recent,) = days_before_now(1)
    watcher.orgs = {"acme": AT_ONCE, "globex": AT_ONCE}
    keys = [put(watcher.world, slug, recent) for slug in watcher.orgs]
    watcher.tick(is_crash=True)
    watcher.world.landing.delete(*keys)
    with monkeypatch.context() as broken:
        fail_listing(broken, "acme")
        assert watcher.reported() == [("globex", recent)]
        assert watcher.reported() == []
        assert watcher.reported() == []
    assert watcher.reported() == [("acme", recent)]
    assert watcher.reported() == []


def test_a_few_old_days_rewritten_far_apart_are_reported_alone(any_world: World) -> None:
    days = ["2026-02-01", "2026-02-28", "2026-03-25"]
    watcher = Watcher(any_world, {"acme": AT_ONCE})
    for hours, content in enumerate(("x", "late")):
        for day in days:
            put(any_world, "acme", day, content)
        found = watcher.reported(now=ahead(hours=2 * hours))
    assert found == [("acme", day) for day in days]


def fail_listing(monkeypatch: pytest.MonkeyPatch, slug: str) -> None:
    """As when a bucket policy denies one org's prefix."""

    def denying(real: Callable[..., Any]) -> Callable[..., Any]:
        def listing(self: Root, prefix: str, **more: Any) -> Any:
            if prefix == door_prefix(DOOR, slug):
                raise StorageError("listing: access denied")
            return real(self, prefix, **more)

        return listing

    for name in ("list", "list_folders", "list_flat"):
        monkeypatch.setattr(Root, name, denying(getattr(Root, name)))


def test_one_org_that_cannot_be_listed_does_not_stop_the_others(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.orgs = {slug: AT_ONCE for slug in ("acme", "globex", "initech")}
    for slug in watcher.orgs:
        put(watcher.world, slug, "2026-01-05")
    with monkeypatch.context() as broken:
        fail_listing(broken, "globex")
        tick = watcher.tick()
        watcher.cursor = encode(tick.cursor)
    assert [slug for slug, _, _ in tick.reports] == ["acme", "initech"]
    assert list(tick.failures) == ["globex"]
    assert watcher.reported() == [("globex", "2026-01-05")]


def test_a_foreign_orgs_prefix_is_not_listed(watcher: Watcher) -> None:
    put(watcher.world, "acme-eu", "2026-01-05")
    put(watcher.world, "acme", "2026-01-06")
    assert watcher.reported() == [("acme", "2026-01-06")]


def test_an_org_added_is_reported_and_one_removed_and_mended_does_not_start_anew(watcher: Watcher) -> None:
    put(watcher.world, "acme", "2026-01-05")
    put(watcher.world, "globex", "2026-01-05")
    assert watcher.reported() == [("acme", "2026-01-05")]
    watcher.orgs = {"globex": AT_ONCE}
    assert watcher.reported() == [("globex", "2026-01-05")]
    watcher.orgs = {"acme": AT_ONCE, "globex": AT_ONCE}
    put(watcher.world, "acme", "2026-01-07")
    assert watcher.reported(now=ahead(hours=2)) == [("acme", "2026-01-07")]
    watcher.orgs = {}
    assert watcher.reported() == []


def test_days_before_the_start_and_after_today_and_strays_are_told_and_not_lost(watcher: Watcher) -> None:
    (tomorrow,) = days_before_now(-1)
    put(watcher.world, "acme", tomorrow)
    put(watcher.world, "acme", "2025-12-31")
    for folder in ("event_date=2026-13-01", "event_date=20260105", "loose"):
        watcher.world.landing.write(f"{door_prefix(DOOR, 'acme')}/{folder}/x.parquet", b"x")
    tick = watcher.tick()
    assert tick.reports == []
    said = "; ".join(tick.remarks["acme"])
    assert "1 days before its start_date" in said
    assert "1 days after today" in said
    folders = ("event_date=2026-13-01/", "event_date=20260105/", "loose/")
    assert stray_note([f"{door_prefix(DOOR, 'acme')}/{folder}" for folder in folders]) in said
    assert watcher.reported(now=ahead(days=1)) == [("acme", tomorrow)]
    watcher.orgs = {"acme": Watched(date(2025, 12, 1))}
    assert watcher.reported(now=ahead(days=1, hours=2)) == [("acme", "2025-12-31")]


def test_a_change_among_undated_records_is_reported_without_a_day(watcher: Watcher) -> None:
    put(watcher.world, "acme", None)
    assert watcher.reported() == [("acme", "None")]
    assert watcher.reported() == []
    put(watcher.world, "acme", None, "more", "0001.parquet")
    assert watcher.reported() == [("acme", "None")]


def test_reports_of_a_tick_are_limited_and_the_rest_follows(watcher: Watcher) -> None:
    watcher.orgs = {"acme": AT_ONCE, "globex": AT_ONCE}
    for slug in watcher.orgs:
        for day in range(1, 8):
            put(watcher.world, slug, f"2026-01-{day:02d}")
    ticks = [watcher.reported(limit=4) for _ in range(5)]
    assert [len(found) for found in ticks] == [4, 4, 4, 2, 0]
    assert len({one for found in ticks for one in found}) == 14


def test_an_empty_root_is_not_believed_at_once(watcher: Watcher) -> None:
    keys = [put(watcher.world, "acme", f"2026-01-{day:02d}") for day in range(1, 11)]
    watcher.tick()
    watcher.world.landing.delete(*keys)
    tick = watcher.tick(now=ahead(hours=2))
    assert "gone at once" in tick.remarks["acme"][0]
    assert watcher.reported(now=ahead(hours=2, minutes=59)) == []
    assert len(watcher.reported(now=ahead(hours=4))) == 10


def put_fast(world: World, key: str) -> None:
    """Behind the server's back: it is the listing that goes over HTTP here, not the landing."""
    if world.landing.is_local:
        world.landing.write(key, b"x")
        return
    from moto.s3.models import s3_backends

    bucket, _, prefix = world.landing.url.removeprefix("s3://").partition("/")
    s3_backends["123456789012"]["aws"].put_object(bucket, f"{prefix}/{key}", b"x")


@pytest.mark.slow
def test_ten_thousand_objects_are_one_tick(any_world: World) -> None:
    watcher = Watcher(any_world, {"acme": Watched(START)}, door="iterable_webhooks")
    for number in range(10_000):
        day = START + timedelta(days=number % 90)
        put_fast(any_world, f"{day_prefix('iterable_webhooks', 'acme', day)}/{number:05d}.jsonl.zst")
    tick = watcher.tick(now=datetime(2026, 4, 15, tzinfo=UTC))
    assert len(tick.reports) == 90
    assert sum(len(day.data) for _, day, _ in tick.reports) == 10_000
    any_world.landing.write(f"{day_prefix('iterable_webhooks', 'acme', START)}/10000.jsonl.zst", b"x")
    assert watcher.reported(now=datetime(2026, 4, 15, 2, tzinfo=UTC)) == [("acme", "2026-01-01")]
