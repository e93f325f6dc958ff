"""Which files count: whatever the writer's own lists say, and everything when they say nothing."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from justai_assets.landing.drop_commits import Committed, committed
from justai_assets.landing.listing import list_day
from justai_assets_tests.world import World

DAY = date(2026, 1, 5)
FOLDER = "event_date=2026-01-05"
TRANSACTION = "7812039812039812"


def put(world: World, door: str, **objects: Any) -> None:
    """Objects below the door's prefix of acme; a dict becomes JSON. `/` in names is written `__`."""
    for name, content in objects.items():
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        world.landing.write(f"{door}/acme/{name.replace('__', '/')}", body)


def lands(world: World, door: str, *names: str, folder: str = FOLDER) -> None:
    for name in names:
        world.landing.write(f"{door}/acme/{folder}/{name}", b"x")


def judged(world: World, door: str = "redshift", day: date | None = DAY) -> Committed:
    return committed(world.landing, door, "acme", list_day(world.landing, door, "acme", day))


def manifest(*names: str, folder: str = FOLDER, records: int | None = 7) -> dict[str, Any]:
    meta = {} if records is None else {"meta": {"content_length": 9, "record_count": records}}
    return {"entries": [{"url": f"s3://somewhere/redshift/acme/{folder}/{name}", **meta} for name in names]}


def names(found: Committed) -> tuple[list[str], list[str], list[tuple[str, int]], list[str]]:
    return (
        [one.name for one in found.live],
        [one.name for one in found.stale],
        list(found.missing),
        [one.name for one in found.unreadable],
    )


def test_without_any_list_every_file_counts(any_world: World) -> None:
    lands(any_world, "redshift", "a.parquet", "b.parquet", "_SUCCESS")
    found = judged(any_world)
    assert names(found) == (["a.parquet", "b.parquet"], [], [], [])
    assert not found.is_declared


@pytest.mark.parametrize("where", ["manifest", f"{FOLDER}/manifest"])
def test_a_manifest_leaves_stale_parts_out_and_names_what_is_missing(where: str, any_world: World) -> None:
    lands(any_world, "redshift", "a.parquet", "stale.parquet")
    put(any_world, "redshift", **{where: manifest("a.parquet", "gone.parquet")})
    found = judged(any_world)
    assert names(found) == (["a.parquet"], ["stale.parquet"], [("gone.parquet", 7)], [])
    assert found.is_declared


def test_files_that_a_later_commit_removed_are_superseded_and_others_are_only_stale(any_world: World) -> None:
    lands(any_world, "databricks", "a.parquet", "b.parquet", "c.parquet")
    put(any_world, "databricks", **{
        f"{FOLDER}/_committed_1": {"added": ["a.parquet"], "removed": []},
        f"{FOLDER}/_committed_2": {"added": ["b.parquet"], "removed": ["a.parquet"]},
    })  # fmt: skip
    found = judged(any_world, "databricks")
    assert names(found)[:2] == (["b.parquet"], ["a.parquet", "c.parquet"])
    assert [one.name for one in found.superseded] == ["a.parquet"]


def test_the_folders_own_manifest_wins_over_the_prefixs(world: World) -> None:
    lands(world, "redshift", "a.parquet", "b.parquet")
    put(world, "redshift", manifest=manifest("a.parquet"), **{f"{FOLDER}/manifest": manifest("b.parquet")})
    assert names(judged(world))[:2] == (["b.parquet"], ["a.parquet"])


def test_a_manifest_that_speaks_of_other_days_says_nothing_of_this_one(world: World) -> None:
    lands(world, "redshift", "a.parquet")
    put(world, "redshift", manifest=manifest("x.parquet", folder="event_date=2026-01-06"))
    found = judged(world)
    assert names(found) == (["a.parquet"], [], [], [])
    assert not found.is_declared


def test_a_manifest_of_an_org_whose_slug_begins_alike_is_not_read(any_world: World) -> None:
    lands(any_world, "redshift", "a.parquet")
    any_world.landing.write("redshift/acme-eu/manifest", json.dumps(manifest("b.parquet")).encode())
    assert names(judged(any_world)) == (["a.parquet"], [], [], [])


def test_an_encoded_url_names_the_same_file(world: World) -> None:
    lands(world, "redshift", "a b.parquet")
    put(world, "redshift", manifest=manifest("a%20b.parquet", folder="event_date%3D2026-01-05"))
    assert names(judged(world))[0] == ["a b.parquet"]


def test_an_entry_without_a_record_count_stands_for_one_record(world: World) -> None:
    put(world, "redshift", manifest=manifest("gone.parquet", records=None))
    assert judged(world).missing == (("gone.parquet", 1),)


def test_a_zero_byte_file_that_the_manifest_names_is_missing(world: World) -> None:
    put(world, "redshift", manifest=manifest("a.parquet"), **{f"{FOLDER}/a.parquet": b""})
    assert judged(world).missing == (("a.parquet", 7),)


UNREADABLE: dict[str, Any] = {
    "not JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "a list": [1, 2],
    "a text": "entries",
    "without entries": {"files": []},
    "entries of text": {"entries": ["s3://a"]},
    "an entry without url": {"entries": [{"meta": {}}]},
    "a count of text": {"entries": [{"url": f"s3://x/{FOLDER}/a", "meta": {"record_count": "many"}}]},
    "a count of list": {"entries": [{"url": f"s3://x/{FOLDER}/a", "meta": {"record_count": [1]}}]},
    "a count without end": b'{"entries": [{"url": "s3://x/event_date=2026-01-05/a", "meta": {"record_count": 1e999}}]}',
    "meta of text": {"entries": [{"url": f"s3://x/{FOLDER}/a", "meta": "7"}]},
    "a thousand brackets": b"[" * 100_000,
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_manifest_that_cannot_be_read_is_named_and_nothing_is_concluded_from_it(content: Any, world: World) -> None:
    lands(world, "redshift", "a.parquet")
    put(world, "redshift", **{f"{FOLDER}/manifest": content})
    found = judged(world)
    assert names(found) == (["a.parquet"], [], [], ["manifest"])
    assert not found.is_declared


@pytest.mark.parametrize("count", [-5, 0, None])
def test_a_missing_file_stands_for_at_least_one_record(count: int | None, world: World) -> None:
    entry = {"url": f"s3://x/{FOLDER}/gone.parquet", "meta": {"record_count": count}}
    put(world, "redshift", manifest={"entries": [entry]})
    assert judged(world).missing == (("gone.parquet", 1),)


def test_commit_lists_add_and_remove(any_world: World) -> None:
    lands(any_world, "databricks", "a.parquet", "b.parquet", "c.parquet")
    put(
        any_world,
        "databricks",
        **{
            f"{FOLDER}/_committed_1": {"added": ["a.parquet", "b.parquet"], "removed": []},
            f"{FOLDER}/_committed_2": {"added": ["d.parquet"], "removed": ["a.parquet"]},
        },
    )
    assert names(judged(any_world, "databricks")) == (
        ["b.parquet"], ["a.parquet", "c.parquet"], [("d.parquet", 1)], [],
    )  # fmt: skip


def part(transaction: int) -> str:
    return f"part-00000-tid-{transaction}-b57dcd81-0000-4e41-a35c-00000000000{transaction}-1-1-c000.snappy.parquet"


@pytest.mark.parametrize("content", [{"added": []}, {"removed": []}], ids=["added", "removed"])
def test_a_commit_list_may_have_either_key_alone(content: dict[str, Any], world: World) -> None:
    lands(world, "databricks", part(1))
    put(world, "databricks", **{f"{FOLDER}/_committed_1": content})
    assert names(judged(world, "databricks")) == ([], [part(1)], [], [])


def test_a_lists_silence_about_another_transaction_denies_nothing(any_world: World) -> None:
    """Appends with a VACUUM between: the first list is gone, the second marker is gone, the third is whole."""
    lands(any_world, "databricks", part(1), part(2), part(3), "_started_3", "_SUCCESS")
    put(any_world, "databricks", **{
        f"{FOLDER}/_committed_2": {"added": [part(2)], "removed": []},
        f"{FOLDER}/_committed_3": {"added": [part(3)], "removed": []},
        f"{FOLDER}/_committed_vacuum9": {"added": [], "removed": ["_committed_1", "_committed_vacuum8"]},
    })  # fmt: skip
    found = judged(any_world, "databricks")
    assert names(found) == ([part(1), part(2), part(3)], [], [], [])
    assert found.is_declared


def test_a_file_that_its_own_transactions_list_leaves_out_does_not_count(world: World) -> None:
    lands(world, "databricks", part(1), part(2))
    put(world, "databricks", **{
        f"{FOLDER}/_committed_1": {"added": ["other.parquet"], "removed": []},
        f"{FOLDER}/other.parquet": b"x",
    })  # fmt: skip
    assert names(judged(world, "databricks"))[:2] == (["other.parquet", part(2)], [part(1)])


def test_a_file_of_another_writer_counts_beside_the_lists_of_transactions(world: World) -> None:
    lands(world, "databricks", "plain.parquet", part(1))
    put(world, "databricks", **{f"{FOLDER}/_committed_1": {"added": [part(1)], "removed": []}})
    assert names(judged(world, "databricks"))[0] == [part(1), "plain.parquet"]


def test_a_list_that_cannot_be_read_denies_nothing_to_its_own_files(world: World) -> None:
    lands(world, "databricks", part(1), part(2))
    put(world, "databricks", **{f"{FOLDER}/_committed_1": b"{", f"{FOLDER}/_committed_2": {"added": [part(2)]}})
    assert names(judged(world, "databricks")) == ([part(1), part(2)], [], [], ["_committed_1"])


@pytest.mark.parametrize("content", [{}, {"files": ["a.parquet"]}, ["a.parquet"], "added"])
def test_a_commit_list_of_another_form_is_named_and_refuses_no_file(content: Any, world: World) -> None:
    lands(world, "databricks", "a.parquet")
    put(world, "databricks", **{f"{FOLDER}/_committed_1": content})
    found = judged(world, "databricks")
    assert names(found) == (["a.parquet"], [], [], ["_committed_1"])
    assert not found.is_declared


def test_what_a_vacuum_leaves_behind_is_no_commit_list(world: World) -> None:
    lands(world, "databricks", "a.parquet")
    put(world, "databricks", **{f"{FOLDER}/_committed_vacuum123": {}, f"{FOLDER}/_committed_vacuum124": {"added": []}})
    assert names(judged(world, "databricks")) == (["a.parquet"], [], [], [])


def test_files_of_a_started_job_that_never_committed_do_not_count(any_world: World) -> None:
    aborted = f"part-00000-tid-{TRANSACTION}-0001-c000.snappy.parquet"
    lands(any_world, "databricks", "plain.parquet", aborted, f"_started_{TRANSACTION}")
    found = judged(any_world, "databricks")
    assert names(found) == (["plain.parquet"], [aborted], [], [])
    assert found.is_declared


def test_files_of_a_started_and_committed_job_count(world: World) -> None:
    name = f"part-00000-tid-{TRANSACTION}-0001-c000.snappy.parquet"
    lands(world, "databricks", name, f"_started_{TRANSACTION}")
    put(world, "databricks", **{f"{FOLDER}/_committed_{TRANSACTION}": {"added": [name], "removed": []}})
    assert names(judged(world, "databricks")) == ([name], [], [], [])


def test_an_unreadable_commit_list_beside_a_sound_one_is_named_and_the_sound_one_holds(world: World) -> None:
    lands(world, "databricks", "a.parquet", "b.parquet")
    put(world, "databricks", **{f"{FOLDER}/_committed_1": {"added": ["a.parquet"]}, f"{FOLDER}/_committed_2": b"{"})
    assert names(judged(world, "databricks")) == (["a.parquet"], ["b.parquet"], [], ["_committed_2"])


def test_undated_files_are_all_taken_whatever_a_manifest_says(world: World) -> None:
    lands(world, "redshift", "a.parquet", folder="event_date=__HIVE_DEFAULT_PARTITION__")
    put(world, "redshift", manifest=manifest("b.parquet"))
    assert names(judged(world, day=None)) == (["a.parquet"], [], [], [])


def test_every_data_file_is_live_or_stale_and_none_is_both(world: World) -> None:
    lands(world, "redshift", *(f"{index}.parquet" for index in range(9)))
    put(world, "redshift", manifest=manifest("3.parquet", "4.parquet", "99.parquet"))
    found = judged(world)
    day = list_day(world.landing, "redshift", "acme", DAY)
    assert sorted(one.key for one in (*found.live, *found.stale)) == [one.key for one in day.data]
