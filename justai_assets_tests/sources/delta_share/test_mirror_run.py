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
    Mirrored,
    events,
    open_mirrored,
    ordered,
    replace_day,
    write,
)


def source_of(mirrored: Mirrored) -> pl.DataFrame:
    return ordered(pl.read_delta(str(mirrored.source)))


def test_a_change_feed_in_pages_is_read_to_its_last_page(mirrored: Mirrored) -> None:
    mirrored.run()
    mirrored.server.page_size = 1
    replace_day(mirrored.source, D1, events(D1, 9))
    replace_day(mirrored.source, D3, events(D3, 7))
    mirrored.asked()
    steps = mirrored.run()
    assert (mirrored.written(), {step.listed_by for step in steps}) == ([D1, D3], {"changes"})
    assert mirrored.asked().count("changes") == 4
    assert_frame_equal(mirrored.rows(), source_of(mirrored))


def test_a_change_feed_that_breaks_down_is_replaced_by_the_whole_list(mirrored: Mirrored) -> None:
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    mirrored.server.break_("changes", "status", status=500)
    (step,) = mirrored.run()
    assert (mirrored.written(), step.listed_by) == ([D2], "snapshot")
    assert "share_transient on the change feed" in step.notes[0]


def make_anew(mirrored: Mirrored, *days: pl.DataFrame) -> None:
    shutil.rmtree(mirrored.source)
    for frame in days:
        write(mirrored.source, frame, feed=True)


@pytest.mark.parametrize("by_range", [True, False])
def test_a_table_made_anew_at_a_higher_version_leaves_nothing_of_the_one_before(tmp_path: Path, by_range: bool) -> None:
    for mirrored in open_mirrored(tmp_path):
        write(mirrored.source, pl.concat([events(D1), events(D2), events(D3)]), feed=True)
        mirrored.run()
        make_anew(mirrored, events(D1, 3, tag="new"), events(D2, 3, tag="new"))
        if by_range:
            mirrored.run(days=Days(D2, D2))
        mirrored.run()
        assert_frame_equal(mirrored.rows(), source_of(mirrored))
        assert mirrored.run() == []


def test_a_table_made_anew_with_the_same_rows_wakes_nothing_downstream(mirrored: Mirrored) -> None:
    mirrored.run()
    make_anew(mirrored, events(D1), events(D2), events(D3), events(D2, 1, tag="more"))
    mirrored.run()
    assert mirrored.written() == [D2]
    assert_frame_equal(mirrored.rows(), source_of(mirrored))


def test_the_same_name_at_another_endpoint_replaces_the_mirror(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.run()
    for other in open_mirrored(tmp_path / "other"):
        write(other.source, events(D2, 2, tag="other"))
        other.state, other.folder = mirrored.state, mirrored.folder
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
    for mirrored in open_mirrored(tmp_path):
        for day in (D1, D2, D3):
            write(mirrored.source, events(day), feed=feed)
        mirrored.run()
        replace_day(mirrored.source, D2, events(D2, 9))
        with monkeypatch.context() as patch:
            lagging(patch, 2)
            mirrored.run()
        assert mirrored.state is not None
        assert mirrored.state.version == 2
        mirrored.run()
        assert_frame_equal(mirrored.rows(), source_of(mirrored))


@pytest.mark.parametrize("days", [None, Days(D2, D2)])
def test_a_list_older_than_what_is_mirrored_is_refused(
    mirrored: Mirrored, days: Days | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_day(mirrored.source, D2, events(D2, 9))
    mirrored.run()
    before = mirrored.rows()
    lagging(monkeypatch, 2)
    with pytest.raises(StaleShareError, match="lists version 2, and 3 is mirrored"):
        mirrored.run(days=days, recheck=True)
    assert_frame_equal(mirrored.rows(), before)


@pytest.mark.parametrize("with_stats", [True, False])
def test_files_without_rows_are_an_empty_share(mirrored: Mirrored, with_stats: bool) -> None:
    mirrored.run()
    write(mirrored.source, events(D1, 0), mode="overwrite")
    add_empty_file(mirrored, D1)
    mirrored.server.offer(NAME, SharedTable(mirrored.source, with_stats=with_stats))
    with pytest.raises(EmptyShareError, match="3 days of it were mirrored"):
        mirrored.run()
    assert mirrored.rows().height == 15
    mirrored.run(accept_empty=True)
    assert mirrored.rows().is_empty()


def add_empty_file(mirrored: Mirrored, day: Any) -> None:
    """delta-rs writes no file without rows; Spark does."""
    import json

    folder = mirrored.source / f"event_date={day}"
    folder.mkdir(exist_ok=True)
    events(day, 0).drop("event_date").write_parquet(folder / "empty.parquet")
    table = DeltaTable(mirrored.source)
    add = {
        "path": f"event_date={day}/empty.parquet",
        "partitionValues": {"event_date": str(day)},
        "size": (folder / "empty.parquet").stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
        "stats": json.dumps({"numRecords": 0}),
    }
    (mirrored.source / "_delta_log" / f"{table.version() + 1:020d}.json").write_text(json.dumps({"add": add}) + "\n")


def with_volatile_ids(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch, files_an_address: int | None = None) -> None:
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
    monkeypatch.setattr(mirrored.server.access, "honours", honours)
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))


def test_a_view_with_other_ids_each_time_is_copied_though_its_addresses_die_meanwhile(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in range(4, 13):
        write(mirrored.source, events(D1.replace(day=offset)))
    with_volatile_ids(mirrored, monkeypatch, files_an_address=4)
    mirrored.run(batch_bytes=1)
    assert len(mirrored.written()) == len(set(mirrored.written())) == 12
    assert_frame_equal(mirrored.rows(), source_of(mirrored))


def test_a_list_that_moves_before_anything_can_be_committed_ends_the_run(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_volatile_ids(mirrored, monkeypatch)
    monkeypatch.setattr(mirrored.server.access, "honours", lambda *_: False)
    with pytest.raises(ShareMovedError):
        mirrored.run()
    assert mirrored.asked().count("version") == 3


def test_a_copy_that_was_interrupted_is_not_begun_again_at_the_same_version(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_volatile_ids(mirrored, monkeypatch)
    mirrored.server.break_("files", "status", skip=1, status=500)
    with pytest.raises(Exception, match="500"):
        mirrored.run(batch_bytes=1)
    assert mirrored.written() == [D1]
    mirrored.server.faults.clear()
    mirrored.asked()
    mirrored.run(batch_bytes=1)
    assert mirrored.written() == [D2, D3]
    assert mirrored.asked().count("files") == 2


def test_maintenance_of_the_mirrors_table_costs_no_day(mirrored: Mirrored) -> None:
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
    mirrored.run()
    lake = mirrored.lake.open(mirrored.slug, DELTA_SHARE)
    assert lake is not None
    lake.optimize.compact()
    lake.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    write(mirrored.source, pl.read_delta(str(mirrored.source)).sort("message_id", descending=True), mode="overwrite")
    mirrored.run()
    assert mirrored.written() == []


def test_a_day_that_was_changed_from_outside_is_written_again(mirrored: Mirrored) -> None:
    mirrored.run()
    lake = mirrored.lake.open(mirrored.slug, DELTA_SHARE)
    assert lake is not None
    lake.delete(f"event_date = '{D2}'")
    mirrored.run(recheck=True)
    assert mirrored.written() == [D2]
    assert_frame_equal(mirrored.rows(), source_of(mirrored))


def test_only_changed_days_of_a_range_are_replaced_when_nothing_else_is_wished(mirrored: Mirrored) -> None:
    mirrored.run()
    mirrored.asked()
    assert mirrored.run(days=Days(D1, D3), only_changed=True) == []
    assert mirrored.asked() == ["version"]
    replace_day(mirrored.source, D2, events(D2, 9))
    replace_day(mirrored.source, D3, events(D3, 9))
    mirrored.run(days=Days(D1, D2), only_changed=True)
    assert mirrored.written() == [D2]
    mirrored.run()
    assert_frame_equal(mirrored.rows(), source_of(mirrored))


def test_the_token_for_fresh_addresses_is_kept_from_the_first_page_on(mirrored: Mirrored) -> None:
    mirrored.server.page_size = 1
    with mirrored.client() as client:
        assert list_files(client, TABLE).refresh_token
