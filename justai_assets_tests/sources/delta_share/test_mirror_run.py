"""Lists that mislead: in pages, of a table made anew, older than announced, without rows, with other ids each time."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.sources.delta_share.file_listing import list_files
from justai_assets.sources.delta_share.share_errors import EmptyShareError, ShareMovedError, StaleShareError
from justai_assets.testing.share_server import handler
from justai_assets.testing.share_server.shared_tables import SharedTable, Snapshot
from justai_assets_tests.sources.delta_share.shared import (
    D1,
    D2,
    D3,
    NAME,
    TABLE,
    Door,
    events,
    open_door,
    ordered,
    replace_day,
    write,
)


def source_of(door: Door) -> pl.DataFrame:
    return ordered(pl.read_delta(str(door.source)))


def test_a_change_feed_in_pages_is_read_to_its_last_page(door: Door) -> None:
    door.run()
    door.server.page_size = 1
    replace_day(door.source, D1, events(D1, 9))
    replace_day(door.source, D3, events(D3, 7))
    door.asked()
    steps = door.run()
    assert (door.written(), {step.listed_by for step in steps}) == ([D1, D3], {"changes"})
    assert door.asked().count("changes") == 4
    assert_frame_equal(door.rows(), source_of(door))


def test_a_change_feed_that_breaks_down_is_replaced_by_the_whole_list(door: Door) -> None:
    door.run()
    replace_day(door.source, D2, events(D2, 9))
    door.server.break_("changes", "status", status=500)
    (step,) = door.run()
    assert (door.written(), step.listed_by) == ([D2], "snapshot")
    assert "share_transient on the change feed" in step.notes[0]


def make_anew(door: Door, *days: pl.DataFrame) -> None:
    shutil.rmtree(door.source)
    for frame in days:
        write(door.source, frame, feed=True)


@pytest.mark.parametrize("by_range", [True, False])
def test_a_table_made_anew_at_a_higher_version_leaves_nothing_of_the_one_before(tmp_path: Path, by_range: bool) -> None:
    for door in open_door(tmp_path):
        write(door.source, pl.concat([events(D1), events(D2), events(D3)]), feed=True)
        door.run()
        make_anew(door, events(D1, 3, tag="new"), events(D2, 3, tag="new"))
        if by_range:
            door.run(days=Days(D2, D2))
        door.run()
        assert_frame_equal(door.rows(), source_of(door))
        assert door.run() == []


def test_a_table_made_anew_with_the_same_rows_wakes_nothing_downstream(door: Door) -> None:
    door.run()
    make_anew(door, events(D1), events(D2), events(D3), events(D2, 1, tag="more"))
    door.run()
    assert door.written() == [D2]
    assert_frame_equal(door.rows(), source_of(door))


def test_the_same_name_at_another_endpoint_replaces_the_mirror(door: Door, tmp_path: Path) -> None:
    door.run()
    for other in open_door(tmp_path / "other"):
        write(other.source, events(D2, 2, tag="other"))
        other.state, other.folder = door.state, door.folder
        other.server.offer(NAME, tmp_path / "other" / "source")
        other.run()
        assert_frame_equal(other.rows(), ordered(events(D2, 2, tag="other")))


def lagging(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    original = SharedTable.snapshot

    def snapshot(self: SharedTable, at: int | None = None) -> Snapshot:
        return original(self, version if at is None else at)

    monkeypatch.setattr(SharedTable, "snapshot", snapshot)


@pytest.mark.parametrize("feed", [True, False])
def test_a_list_older_than_the_version_announced_is_taken_for_what_it_is(
    tmp_path: Path, feed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for door in open_door(tmp_path):
        for day in (D1, D2, D3):
            write(door.source, events(day), feed=feed)
        door.run()
        replace_day(door.source, D2, events(D2, 9))
        with monkeypatch.context() as patch:
            lagging(patch, 2)
            door.run()
        assert door.state is not None
        assert door.state.version == 2
        door.run()
        assert_frame_equal(door.rows(), source_of(door))


@pytest.mark.parametrize("days", [None, Days(D2, D2)])
def test_a_list_older_than_what_is_mirrored_is_refused(
    door: Door, days: Days | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_day(door.source, D2, events(D2, 9))
    door.run()
    before = door.rows()
    lagging(monkeypatch, 2)
    with pytest.raises(StaleShareError, match="lists version 2, and 3 is mirrored"):
        door.run(days=days, recheck=True)
    assert_frame_equal(door.rows(), before)


@pytest.mark.parametrize("with_stats", [True, False])
def test_files_without_rows_are_an_empty_share(door: Door, with_stats: bool) -> None:
    door.run()
    write(door.source, events(D1, 0), mode="overwrite")
    add_empty_file(door, D1)
    door.server.offer(NAME, SharedTable(door.source, with_stats=with_stats))
    with pytest.raises(EmptyShareError, match="3 days of it were mirrored"):
        door.run()
    assert door.rows().height == 15
    door.run(accept_empty=True)
    assert door.rows().is_empty()


def add_empty_file(door: Door, day: Any) -> None:
    """delta-rs writes no file without rows; Spark does."""
    import json

    folder = door.source / f"event_date={day}"
    folder.mkdir(exist_ok=True)
    events(day, 0).drop("event_date").write_parquet(folder / "empty.parquet")
    table = DeltaTable(door.source)
    add = {
        "path": f"event_date={day}/empty.parquet",
        "partitionValues": {"event_date": str(day)},
        "size": (folder / "empty.parquet").stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
        "stats": json.dumps({"numRecords": 0}),
    }
    (door.source / "_delta_log" / f"{table.version() + 1:020d}.json").write_text(json.dumps({"add": add}) + "\n")


def with_volatile_ids(door: Door, monkeypatch: pytest.MonkeyPatch, files_an_address: int | None = None) -> None:
    """A view whose files have other ids at each request, and addresses that live for so many downloads."""
    original_id, original_query = SharedTable.file_id, handler.Handler._query
    number, left = itertools.count(), [0]
    salt = [""]

    def query(self: handler.Handler, name: str, table: SharedTable, fault: Any) -> None:
        salt[0], left[0] = str(next(number)), files_an_address or 10**9
        original_query(self, name, table, fault)

    def honours(*_: str) -> bool:
        left[0] -= 1
        return left[0] >= 0

    monkeypatch.setattr(SharedTable, "file_id", staticmethod(lambda path: original_id(salt[0] + path)))
    monkeypatch.setattr(handler.Handler, "_query", query)
    monkeypatch.setattr(door.server.access, "honours", honours)
    door.server.offer(NAME, SharedTable(door.source, is_view=True))


def test_a_view_with_other_ids_each_time_is_copied_though_its_addresses_die_meanwhile(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in range(4, 13):
        write(door.source, events(D1.replace(day=offset)))
    with_volatile_ids(door, monkeypatch, files_an_address=4)
    door.run(batch_bytes=1)
    assert len(door.written()) == len(set(door.written())) == 12
    assert_frame_equal(door.rows(), source_of(door))


def test_a_list_that_moves_before_anything_can_be_committed_ends_the_run(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_volatile_ids(door, monkeypatch)
    monkeypatch.setattr(door.server.access, "honours", lambda *_: False)
    with pytest.raises(ShareMovedError):
        door.run()
    assert door.asked().count("version") == 3


def test_a_copy_that_was_interrupted_is_not_begun_again_at_the_same_version(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_volatile_ids(door, monkeypatch)
    door.server.break_("files", "status", skip=1, status=500)
    with pytest.raises(Exception, match="500"):
        door.run(batch_bytes=1)
    assert door.written() == [D1]
    door.server.faults.clear()
    door.asked()
    door.run(batch_bytes=1)
    assert door.written() == [D2, D3]
    assert door.asked().count("files") == 2


def test_maintenance_of_the_mirrors_table_costs_no_day(door: Door) -> None:
    door.server.offer(NAME, SharedTable(door.source, is_view=True))
    door.run()
    lake = door.lake.open(door.slug, DELTA_SHARE)
    assert lake is not None
    lake.optimize.compact()
    lake.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    write(door.source, pl.read_delta(str(door.source)).sort("message_id", descending=True), mode="overwrite")
    door.run()
    assert door.written() == []


def test_a_day_that_was_changed_from_outside_is_written_again(door: Door) -> None:
    door.run()
    lake = door.lake.open(door.slug, DELTA_SHARE)
    assert lake is not None
    lake.delete(f"event_date = '{D2}'")
    door.run(recheck=True)
    assert door.written() == [D2]
    assert_frame_equal(door.rows(), source_of(door))


def test_only_changed_days_of_a_range_are_replaced_when_nothing_else_is_wished(door: Door) -> None:
    door.run()
    door.asked()
    assert door.run(days=Days(D1, D3), only_changed=True) == []
    assert door.asked() == ["version"]
    replace_day(door.source, D2, events(D2, 9))
    replace_day(door.source, D3, events(D3, 9))
    door.run(days=Days(D1, D2), only_changed=True)
    assert door.written() == [D2]
    door.run()
    assert_frame_equal(door.rows(), source_of(door))


def test_the_token_for_fresh_addresses_is_kept_from_the_first_page_on(door: Door) -> None:
    door.server.page_size = 1
    with door.client() as client:
        assert list_files(client, TABLE).refresh_token
