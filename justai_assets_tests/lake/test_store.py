"""A day is replaced whole or not at all, whoever else is writing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, StorageError
from justai_assets.contract.tables import FATES, QUARANTINE, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets_tests.lake.week import FIRST, WEEK, events, parts, replace, stored
from justai_assets_tests.world import World


def test_replacing_a_range_replaces_its_days_and_no_other(any_world: World) -> None:
    lake = any_world.lake
    days = [FIRST + timedelta(days=offset) for offset in range(4)]
    replace(lake, WEEK, *(events(day, "old", "old") for day in days))
    replace(lake, Days(days[1], days[2]), events(days[1], "new"))
    assert stored(lake) == [(days[0], "old")] * 2 + [(days[1], "new")] + [(days[3], "old")] * 2
    assert lake.counts("acme", UNIFIED_EVENTS, WEEK) == {day: 0 for day in WEEK} | {days[0]: 2, days[1]: 1, days[3]: 2}


def test_a_range_is_one_version(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "a"))
    before = lake.open("acme", UNIFIED_EVENTS)
    replace(lake, WEEK, *(events(day, "b") for day in WEEK))
    after = lake.open("acme", UNIFIED_EVENTS)
    assert before is not None
    assert after is not None
    assert after.version() == before.version() + 1


def test_only_the_asked_for_days_are_scanned(lake: Lake) -> None:
    replace(lake, WEEK, *(events(day, "a") for day in WEEK))
    second = FIRST + timedelta(days=1)
    assert stored(lake, Days(second, second)) == [(second, "a")]
    for day in WEEK:
        if day != second:
            for path in lake.root.local(f"acme/unified_events/event_date={day}").glob("*.parquet"):
                path.write_bytes(b"gone")
    assert stored(lake, Days(second, second)) == [(second, "a")], "another day's file was opened"


def test_the_logs_statistics_leave_files_out_of_a_scan_by_time(lake: Lake) -> None:
    with lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer:
        for hour in (1, 13):
            writer.write(FIRST, events(FIRST, "a", "b", hour=hour))
    table = lake.open("acme", UNIFIED_EVENTS)
    assert table is not None
    actions = pl.DataFrame(table.get_add_actions(flatten=True)).sort("min.event_timestamp")
    assert actions["num_records"].to_list() == [2, 2]
    assert actions["null_count.template_id"].to_list() == [2, 2]
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    (early, late) = (lake.root.local("acme/unified_events") / path for path in actions["path"])
    early.write_bytes(b"gone")
    found = pl.scan_delta(table).filter(pl.col("event_timestamp") >= noon).collect()
    assert found.height == 2
    assert late.exists()


def test_statistics_never_exclude_a_row_that_a_file_holds(lake: Lake) -> None:
    moments = [datetime(2026, 1, 5, 0, 0, 0, 1, tzinfo=UTC), datetime(2026, 1, 5, 23, 59, 59, 999999, tzinfo=UTC)]
    frame = events(FIRST, "a", "b").with_columns(event_timestamp=pl.Series(moments, dtype=pl.Datetime("us", "UTC")))
    replace(lake, WEEK, frame)
    for moment in moments:
        assert lake.scan("acme", UNIFIED_EVENTS).filter(pl.col("event_timestamp") == moment).collect().height == 1


def test_an_empty_day_empties_what_was_there_and_an_empty_table_reads_as_one(any_world: World) -> None:
    lake = any_world.lake
    assert stored(lake) == []
    assert lake.counts("acme", UNIFIED_EVENTS, WEEK) == dict.fromkeys(WEEK, 0)
    assert lake.scan("acme", UNIFIED_EVENTS).collect_schema() == UNIFIED_EVENTS.schema
    with lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer:
        assert writer.write(FIRST, events(FIRST)) == 0
    assert stored(lake) == []
    assert lake.counts("acme", UNIFIED_EVENTS, WEEK) == dict.fromkeys(WEEK, 0)
    replace(lake, WEEK, events(FIRST, "a"))
    replace(lake, Days(FIRST, FIRST))
    assert stored(lake) == []


def test_a_plan_a_frame_and_frames_one_after_another_write_the_same(lake: Lake) -> None:
    frame = events(FIRST, *(f"e{index}" for index in range(100)))
    for kind in (
        frame,
        frame.lazy(),
        (frame.slice(at, 10) for at in range(0, 100, 10)),
        frame.select(reversed(frame.columns)),
    ):
        with lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer:
            assert writer.write(FIRST, kind) == 100
            assert (writer.rows(FIRST), writer.rows(WEEK.last)) == (100, 0)
            assert writer.bytes(FIRST) > 0
        assert lake.scan("acme", UNIFIED_EVENTS).collect().sort("event_timestamp").equals(frame)


BREAKS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "a column less": lambda frame: frame.drop("campaign_id"),
    "a column more": lambda frame: frame.with_columns(extra=pl.lit(1)),
    "another type": lambda frame: frame.with_columns(template_id=pl.lit(501)),
    "another time unit": lambda frame: frame.with_columns(pl.col("event_timestamp").dt.cast_time_unit("ms")),
    "a naive time": lambda frame: frame.with_columns(pl.col("event_timestamp").dt.replace_time_zone(None)),
    "a null name": lambda frame: frame.with_columns(event_name=pl.lit(None, pl.String)),
    "a null time": lambda frame: frame.with_columns(event_timestamp=pl.lit(None, pl.Datetime("us", "UTC"))),
    "the day before": lambda frame: frame.with_columns(pl.col("event_timestamp") - pl.duration(hours=13)),
    "the day after": lambda frame: frame.with_columns(pl.col("event_timestamp") + pl.duration(hours=12)),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_contract_leaves_the_previous_content_and_no_file(
    broken: Callable[[pl.DataFrame], pl.DataFrame], lake: Lake
) -> None:
    replace(lake, WEEK, events(FIRST, "old"))
    before = parts(lake)
    second = FIRST + timedelta(days=1)
    with pytest.raises(ContractError, match=r"unified_events"), lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer:
        writer.write(second, events(second, "new"))
        writer.write(FIRST, broken(events(FIRST, "new")))
    assert stored(lake) == [(FIRST, "old")]
    assert parts(lake) == before


def test_any_failure_inside_the_block_leaves_the_previous_content_and_no_file(any_world: World) -> None:
    lake = any_world.lake
    replace(lake, WEEK, events(FIRST, "old"))
    before = parts(lake)
    with pytest.raises(KeyboardInterrupt), lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer:
        writer.write(FIRST, events(FIRST, "new"))
        raise KeyboardInterrupt
    assert stored(lake) == [(FIRST, "old")]
    assert parts(lake) == before


@pytest.mark.parametrize("day", [FIRST - timedelta(days=1), WEEK.last + timedelta(days=1), None])
def test_a_day_outside_the_range_is_refused(day: date | None, lake: Lake) -> None:
    with (
        pytest.raises(ContractError, match=r"not among the days"),
        lake.replacing("acme", UNIFIED_EVENTS, WEEK) as writer,
    ):
        writer.write(day, events(FIRST, "a"))


def test_an_interrupt_after_the_commit_was_written_does_not_take_its_files_away(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DeltaTable.create_write_transaction

    def committed_and_interrupted(*arguments, **named):
        real(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(DeltaTable, "create_write_transaction", committed_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(lake, WEEK, events(FIRST, "new"))
    monkeypatch.undo()
    assert stored(lake) == [(FIRST, "new")]


def refused(day: date | None, asset: str, reason: str) -> pl.DataFrame:
    row = (day, asset, "redshift", reason, "x.parquet", None, None, 1)
    return pl.DataFrame([row], schema=QUARANTINE.schema, orient="row")


def test_undated_rows_have_a_partition_of_their_own(any_world: World) -> None:
    lake = any_world.lake

    def put(days: Days | None, asset: str, reason: str) -> None:
        day = None if days is None else days.first
        with lake.replacing("acme", QUARANTINE, days, partition={"asset": asset}) as writer:
            writer.write(day, refused(day, asset, reason))

    one = Days(FIRST, FIRST)
    put(one, "esp_events", "dated")
    put(None, "esp_events", "first")
    put(None, "custom_events", "other asset")
    put(None, "esp_events", "second")
    rows = lake.scan("acme", QUARANTINE).select("event_date", "asset", "reason").collect().rows()
    assert set(rows) == {
        (FIRST, "esp_events", "dated"),
        (None, "custom_events", "other asset"),
        (None, "esp_events", "second"),
    }
    assert len(rows) == 3
    put(one, "custom_events", "dated too")
    assert lake.scan("acme", QUARANTINE, one).collect().height == 2


@pytest.mark.parametrize("slug", ["..", "Acme", "a/b", ""])
def test_what_is_no_slug_never_becomes_a_table(slug: str, lake: Lake) -> None:
    with pytest.raises(StorageError, match=r"not an org slug"):
        lake.scan(slug, FATES)


def test_orgs_never_share_a_table(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "a"))
    assert lake.scan("acme-eu", UNIFIED_EVENTS).collect().is_empty()


def test_a_damaged_log_is_an_error_and_not_an_empty_table(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "a"))
    for path in lake.root.local("acme/unified_events/_delta_log").glob("*.json"):
        path.write_text("{broken")
    with pytest.raises(StorageError, match=r"cannot be opened: its log is damaged.*restore") as caught:
        lake.scan("acme", UNIFIED_EVENTS).collect()
    assert not caught.value.transient


def test_a_version_that_never_was_is_a_lasting_error(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "a"))
    with pytest.raises(StorageError, match="lacks the version") as caught:
        lake.open("acme", UNIFIED_EVENTS, 77)
    assert not caught.value.transient
