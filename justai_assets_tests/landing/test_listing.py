from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.listing import days_and_strays, fingerprint, list_day, list_days
from justai_assets.storage import LandedObject
from justai_assets_tests.world import World

DAY = date(2026, 1, 5)
WRITTEN = datetime(2026, 1, 5, tzinfo=UTC)
OBJECTS = st.lists(
    st.builds(LandedObject, st.text(min_size=1, max_size=12), st.integers(0, 9), st.text(max_size=6), st.just(WRITTEN)),
    unique_by=lambda one: one.key,
    max_size=6,
)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_the_order_of_the_listing(objects: list[LandedObject], luck) -> None:
    shuffled = list(objects)
    luck.shuffle(shuffled)
    assert fingerprint(shuffled) == fingerprint(objects)


@given(OBJECTS.filter(len), st.data())
def test_any_change_of_any_object_changes_the_fingerprint(objects: list[LandedObject], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(objects) - 1))
    one = objects[index]
    others = objects[:index] + objects[index + 1 :]
    before = fingerprint(objects)
    assert fingerprint(others) != before
    for changed in (
        replace(one, key=one.key + "x"),
        replace(one, etag=one.etag + "x"),
        replace(one, size=one.size + 1),
    ):
        assert fingerprint([*others, changed]) != before
    assert fingerprint([*others, replace(one, modified=datetime(2026, 2, 1, tzinfo=UTC))]) == before


def test_only_a_doors_own_kind_of_object_is_data(any_world: World) -> None:
    folder = day_prefix("redshift", "acme", DAY)
    names = ["0001_part_00.parquet", "0000_part_00.parquet", "manifest", "_SUCCESS", "_started_1", "_committed_1",
             "_hidden.parquet", ".hidden.parquet", "notes.csv", "x.parquet.crc", "x.jsonl"]  # fmt: skip
    for name in names:
        any_world.landing.write(f"{folder}/{name}", b"x")
    any_world.landing.write(f"{folder}/empty.parquet", b"")
    landed = list_day(any_world.landing, "redshift", "acme", DAY)
    assert [found.name for found in landed.data] == ["0000_part_00.parquet", "0001_part_00.parquet"]
    assert {found.name for found in landed.signs} == {*names, "empty.parquet"} - {found.name for found in landed.data}
    assert landed.bytes == 2
    assert landed.newest is not None


@pytest.mark.parametrize("door", ["iterable_webhooks", "journey_webhooks", "chameleon_webhooks"])
def test_webhook_doors_land_json_lines_compressed_or_not(door: str, world: World) -> None:
    folder = day_prefix(door, "acme", DAY)
    for name in ("b.jsonl.zst", "a.jsonl", "c.parquet", "d.json", "e.jsonl.gz", "_SUCCESS", ".x"):
        world.landing.write(f"{folder}/{name}", b"x")
    landed = list_day(world.landing, door, "acme", DAY)
    assert [found.name for found in landed.data] == ["a.jsonl", "b.jsonl.zst", "e.jsonl.gz"]
    assert [found.name for found in landed.foreign] == ["c.parquet", "d.json"]


def test_days_are_listed_apart_and_other_folders_belong_to_none(any_world: World) -> None:
    prefix = "redshift/acme"
    keys = ["event_date=2026-01-06/a.parquet", "event_date=2026-01-05/a.parquet", "event_date=2026-01-05/sub/b.parquet",
            "event_date=__HIVE_DEFAULT_PARTITION__/a.parquet", "event_date=nonsense/a.parquet",
            "a.parquet", "manifest"]  # fmt: skip
    for key in keys:
        any_world.landing.write(f"{prefix}/{key}", b"x")
    any_world.landing.write("redshift/acme-eu/event_date=2026-01-07/a.parquet", b"x")
    days = list_days(any_world.landing, "redshift", "acme")
    assert list(days) == [date(2026, 1, 5), date(2026, 1, 6)]
    assert days[DAY].fingerprint == list_day(any_world.landing, "redshift", "acme", DAY).fingerprint
    assert [found.name for found in list_day(any_world.landing, "redshift", "acme", None).data] == ["a.parquet"]


def test_what_lies_in_no_day_is_found_and_the_writers_marks_are_none(any_world: World) -> None:
    prefix = "redshift/acme"
    keys = ["event_date=2026-01-06/a.parquet", "event_date=__HIVE_DEFAULT_PARTITION__/a.parquet", "manifest", "_SUCCESS",
            "_temporary/0/a.parquet", "event_date=2026-1-5/a.parquet", "backup/b.parquet", "0013_part_00"]  # fmt: skip
    for key in keys:
        any_world.landing.write(f"{prefix}/{key}", b"x")
    any_world.landing.write("redshift/acme-eu/loose.parquet", b"x")
    found = [f"{prefix}/{key}" for key in ("0013_part_00", "backup/", "event_date=2026-1-5/")]
    assert days_and_strays(any_world.landing, "redshift", "acme") == ([date(2026, 1, 6)], found)
    assert days_and_strays(any_world.landing, "redshift", "nobody")[1] == []


def test_the_fingerprint_of_a_day_sees_rewrites_arrivals_and_signs(any_world: World) -> None:
    def seen() -> str:
        return list_day(any_world.landing, "redshift", "acme", DAY).fingerprint

    folder = day_prefix("redshift", "acme", DAY)
    prints = [seen()]
    for name, content in [("a.parquet", b"one"), ("a.parquet", b"two"), ("b.parquet", b"one"), ("_committed_1", b"{}")]:
        any_world.landing.write(f"{folder}/{name}", content)
        prints.append(seen())
    any_world.landing.delete(f"{folder}/b.parquet")
    prints.append(seen())
    assert len(set(prints)) == len(prints)
    assert seen() == prints[-1]


def test_an_absent_day_holds_nothing(any_world: World) -> None:
    landed = list_day(any_world.landing, "redshift", "acme", DAY)
    assert (landed.data, landed.signs, landed.bytes, landed.newest) == ((), (), 0, None)
    assert list_days(any_world.landing, "redshift", "acme") == {}
