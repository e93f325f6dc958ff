"""Upkeep never changes a row, whoever writes beside it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import MESSAGE_OUTCOMES, UNIFIED_EVENTS, Table
from justai_assets.lake.compaction import compact, mergeable_days, remove_unreferenced
from justai_assets.lake.live_files import held
from justai_assets.lake.store import Lake
from justai_assets.quality.table_log import read_log
from justai_assets.storage import Root

DAYS = Days(date(2026, 1, 1), date(2026, 1, 4))


def rows(day: date, mark: str, count: int) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    frame = {
        "event_name": ["emailSend"] * count,
        "event_timestamp": [at + timedelta(seconds=index) for index in range(count)],
        "event_date": [day] * count,
        "message_id": [f"{mark}-{index}" for index in range(count)],
        "template_id": ["501"] * count,
        "campaign_id": ["9001"] * count,
    }
    return pl.DataFrame(frame, schema=UNIFIED_EVENTS.schema)


def outcome(day: date, message: str) -> pl.DataFrame:
    known = {
        "send_date": day,
        "message_id": message,
        "sent_at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        "is_machine_known": True,
    }
    counts = {column.name: 1 for column in MESSAGE_OUTCOMES.columns if column.dtype == pl.Int64}
    row = {**dict.fromkeys(MESSAGE_OUTCOMES.schema), **counts, **known}
    return pl.DataFrame([row], schema=MESSAGE_OUTCOMES.schema)


def replace(lake: Lake, days: Days, mark: str, files: int = 4, count: int = 5) -> None:
    with lake.replacing("acme", UNIFIED_EVENTS, days) as writer:
        for day in days:
            for part in range(files):
                writer.write(day, rows(day, f"{mark}/{part}", count))


def stored(lake: Lake, days: Days | None = None) -> pl.DataFrame:
    return lake.scan("acme", UNIFIED_EVENTS, days).collect().sort("event_date", "message_id")


def files(lake: Lake) -> dict[date, int]:
    found = lake.open("acme", UNIFIED_EVENTS)
    assert found is not None
    log = pl.DataFrame(found.get_add_actions(flatten=True))
    return dict(log.group_by("partition.event_date").len().iter_rows())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Root.parse(str(tmp_path)))


def test_small_files_of_a_day_become_one_and_every_row_stays(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    before = stored(lake)
    merged = compact(lake, "acme", UNIFIED_EVENTS)
    assert (merged.days, merged.files_before, merged.files_after, merged.skipped) == (4, 16, 4, ())
    assert set(files(lake).values()) == {1}
    assert stored(lake).equals(before)


def test_a_table_by_send_day_is_merged_as_well(lake: Lake) -> None:
    days = Days(DAYS.first, DAYS.first)
    with lake.replacing("acme", MESSAGE_OUTCOMES, days) as writer:
        for part in range(3):
            writer.write(days.first, outcome(days.first, f"m{part}"))
    before = lake.scan("acme", MESSAGE_OUTCOMES).collect().sort("message_id")
    assert mergeable_days(lake, "acme", MESSAGE_OUTCOMES) == [days.first]
    assert compact(lake, "acme", MESSAGE_OUTCOMES).files_after == 1
    assert lake.scan("acme", MESSAGE_OUTCOMES).collect().sort("message_id").equals(before)
    assert held(lake, "acme", MESSAGE_OUTCOMES, days)[days.first].rows == 3
    assert read_log(lake, "acme", MESSAGE_OUTCOMES)["rows"].to_list() == [3]


def test_a_second_round_finds_nothing_to_do(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    compact(lake, "acme", UNIFIED_EVENTS)
    version = lake.open("acme", UNIFIED_EVENTS).version()
    assert compact(lake, "acme", UNIFIED_EVENTS).days == 0
    assert lake.open("acme", UNIFIED_EVENTS).version() == version


def test_files_that_do_not_fit_together_are_left_alone(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    assert mergeable_days(lake, "acme", UNIFIED_EVENTS, target=3000) == []
    assert compact(lake, "acme", UNIFIED_EVENTS, target=3000).days == 0


def test_a_table_that_was_never_written_is_left_alone(lake: Lake) -> None:
    assert compact(lake, "acme", UNIFIED_EVENTS).days == 0
    assert remove_unreferenced(lake, "acme", UNIFIED_EVENTS) == []


def test_a_day_replaced_after_a_compaction_holds_the_new_rows_alone(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    compact(lake, "acme", UNIFIED_EVENTS)
    replace(lake, Days(DAYS.first, DAYS.first), "second", files=1)
    assert set(stored(lake, Days(DAYS.first, DAYS.first))["message_id"].str.split("/").list.first()) == {"second"}


def test_a_writer_that_began_before_a_compaction_still_replaces_the_day(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    with lake.replacing("acme", UNIFIED_EVENTS, DAYS) as writer:
        for day in DAYS:
            writer.write(day, rows(day, "second", 3))
        compact(lake, "acme", UNIFIED_EVENTS)
    found = stored(lake)
    assert found.height == 12
    assert set(found["message_id"].str.split("-").list.first()) == {"second"}


def test_a_compaction_from_an_old_snapshot_does_not_bring_replaced_rows_back(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(lake, Days(DAYS.first, DAYS.first), "first")
    replace_now = threading.Event()
    original = Lake.open_to_change

    def open_then_replace(self: Lake, slug: str, table: Table) -> DeltaTable | None:
        # The snapshot that the merge starts from.
        found = original(self, slug, table)
        if not replace_now.is_set():
            replace_now.set()
            replace(lake, Days(DAYS.first, DAYS.first), "second")
        return found

    monkeypatch.setattr(Lake, "open_to_change", open_then_replace)
    compact(lake, "acme", UNIFIED_EVENTS)
    monkeypatch.undo()
    found = stored(lake)
    assert replace_now.is_set()
    assert found.height == 20
    assert set(found["message_id"].str.split("/").list.first()) == {"second"}


def test_a_writer_from_an_old_snapshot_does_not_leave_the_merged_rows_beside_its_own(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Days(DAYS.first, DAYS.first)
    replace(lake, day, "first")
    original = Lake.open
    merged = 0

    def open_then_compact(self: Lake, slug: str, table: object, version: int | None = None) -> object:
        nonlocal merged
        found = original(self, slug, table, version)
        monkeypatch.setattr(Lake, "open", original)
        merged += compact(lake, "acme", UNIFIED_EVENTS).days
        return found

    monkeypatch.setattr(Lake, "open", open_then_compact)
    replace(lake, day, "second")
    found = stored(lake)
    assert merged == 1
    assert found.height == 20
    assert set(found["message_id"].str.split("/").list.first()) == {"second"}


def test_writers_and_compactions_at_once_lose_and_double_nothing(lake: Lake) -> None:
    replace(lake, DAYS, "0")
    stop = threading.Event()
    merges = 0

    def write(day: date) -> int:
        last = 0
        for last in range(1, 9):
            replace(lake, Days(day, day), str(last), files=3)
        return last

    def merge() -> None:
        nonlocal merges
        while not stop.is_set():
            merges += compact(lake, "acme", UNIFIED_EVENTS).days

    with ThreadPoolExecutor(len(DAYS) + 1) as pool:
        merging = pool.submit(merge)
        try:
            lasts = dict(zip(DAYS, pool.map(write, DAYS), strict=True))
        finally:
            stop.set()
        merging.result()
    assert merges > 0
    for day, last in lasts.items():
        found = stored(lake, Days(day, day))
        assert found.height == 15
        assert set(found["message_id"].str.split("/").list.first()) == {str(last)}
        assert found["message_id"].n_unique() == 15


def test_files_of_a_killed_run_go_and_those_of_a_running_one_stay(lake: Lake, tmp_path: Path) -> None:
    replace(lake, DAYS, "first", files=1)
    folder = tmp_path / "acme" / "unified_events" / f"event_date={DAYS.first}"
    live = next(folder.glob("part-*.parquet"))
    killed, running = folder / "part-killed-0.parquet", folder / "part-running-0.parquet"
    alone = folder.with_name("event_date=2025-12-31") / "part-killed-1.parquet"
    alone.parent.mkdir()
    for orphan in (killed, running, alone):
        shutil.copy(live, orphan)
    eight_days_ago = time.time() - 8 * 86_400
    for old in (killed, alone, live):
        os.utime(old, (eight_days_ago, eight_days_ago))
    removed = remove_unreferenced(lake, "acme", UNIFIED_EVENTS)
    assert sorted(Path(path).name for path in removed) == ["part-killed-0.parquet", "part-killed-1.parquet"]
    assert not killed.exists()
    assert not alone.exists()
    assert running.exists()
    assert live.exists()
    assert stored(lake).height == 20


def test_a_replaced_day_can_still_be_read_as_it_was_for_the_retention(lake: Lake) -> None:
    replace(lake, DAYS, "first")
    replace(lake, DAYS, "second")
    before = lake.open("acme", UNIFIED_EVENTS)
    assert before is not None
    assert remove_unreferenced(lake, "acme", UNIFIED_EVENTS) == []


def test_a_retention_under_a_week_is_refused(lake: Lake) -> None:
    with pytest.raises(JustAIError, match="give 7 or more"):
        remove_unreferenced(lake, "acme", UNIFIED_EVENTS, retention_days=6)
