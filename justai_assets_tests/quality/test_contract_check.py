from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from deltalake import DeltaTable, write_deltalake

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.compaction import compact
from justai_assets.lake.store import Lake
from justai_assets.quality.contract_check import contract
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.table_log import read_log
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, rows, write


def judge(lake: Lake, days: Days = ONE) -> list[Verdict]:
    return contract(lake, SLUG, UNIFIED_EVENTS, days, read_log(lake, SLUG, UNIFIED_EVENTS))


def append_from_outside(lake: Lake, frame: pl.DataFrame, **options: str) -> None:
    uri = lake.uri(SLUG, UNIFIED_EVENTS)
    write_deltalake(uri, frame, mode="append", partition_by=["event_date"], **options)


def test_a_day_written_by_the_platform_is_sound(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3)]})
    (verdict,) = judge(lake)
    assert verdict.is_sound
    assert verdict.numbers == {"rows": 3, "nulls in required columns": 0}


def test_a_day_without_rows_is_sound(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3)]})
    (verdict, _) = judge(lake, Days(DAY - timedelta(days=1), DAY))
    assert verdict.is_sound
    assert verdict.numbers["rows"] == 0


def test_a_day_whose_last_event_is_in_its_last_microsecond_is_sound(lake: Lake) -> None:
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(days=1)
    edge = rows(UNIFIED_EVENTS, DAY, 1, event_timestamp=[midnight - timedelta(microseconds=1)])
    write(lake, UNIFIED_EVENTS, {DAY: [edge]})
    assert judge(lake)[0].is_sound


def test_a_merged_day_is_sound(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3), rows(UNIFIED_EVENTS, DAY, 4)]})
    compact(lake, SLUG, UNIFIED_EVENTS)
    assert judge(lake)[0].numbers["rows"] == 7
    assert judge(lake)[0].is_sound


def test_a_row_of_another_day_written_from_outside_is_found(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3)]})
    stray = rows(UNIFIED_EVENTS, DAY - timedelta(days=1), 1).with_columns(event_date=pl.lit(DAY))
    append_from_outside(lake, stray)
    assert judge(lake)[0].problems == ("1 files hold rows of another day",)


def test_a_null_in_a_required_column_written_from_outside_is_found(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3)]})
    append_from_outside(lake, rows(UNIFIED_EVENTS, DAY, 2, event_name=[None, "emailSend"]))
    assert judge(lake)[0].problems == ("1 rows without event_name",)


def test_a_column_added_from_outside_is_found_on_every_day(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 3)]})
    wider = rows(UNIFIED_EVENTS, DAY, 1).with_columns(email=pl.lit("hidden"))
    append_from_outside(lake, wider, schema_mode="merge")
    assert judge(lake)[0].problems == ("has a column email that the contract does not know",)


def test_a_table_that_was_never_written_says_so(lake: Lake) -> None:
    assert judge(lake)[0].problems == ("the table was never written",)


def test_a_table_of_another_type_is_found(lake: Lake) -> None:
    frame = rows(UNIFIED_EVENTS, DAY, 1).with_columns(pl.lit(501).alias("template_id"))
    write_deltalake(lake.uri(SLUG, UNIFIED_EVENTS), frame, partition_by=["event_date"])
    assert DeltaTable.is_deltatable(lake.uri(SLUG, UNIFIED_EVENTS))
    assert "the type of template_id is not the contract's" in judge(lake)[0].problems
