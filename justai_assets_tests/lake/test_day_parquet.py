from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake import day_parquet as files
from justai_assets.lake.day_parquet import DayFile, remove_files, write_files

DAY = date(2026, 1, 5)


def events(rows: int) -> pl.DataFrame:
    number = pl.int_range(rows)
    return pl.select(
        pl.format("event {}", number).alias("event_name"),
        (pl.lit(1_767_571_200_000_000) + number)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .alias("event_timestamp"),
        pl.lit(DAY).alias("event_date"),
        number.cast(pl.String).str.zfill(32).alias("message_id"),
        pl.when(number % 2 == 1).then(pl.lit("501")).alias("template_id"),
        pl.lit(None, pl.String).alias("campaign_id"),
    )


ROWS = 400_000


@pytest.mark.parametrize("kind", ["plan", "frames"])
def test_a_big_day_is_split_into_files_that_together_hold_every_row(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MEMORY_BYTES_PER_FILE", 5_000_000)
    frame = events(ROWS)
    rows = frame.lazy() if kind == "plan" else (frame.slice(at, 50_000) for at in range(0, ROWS, 50_000))
    written = write_files(tmp_path, UNIFIED_EVENTS, rows, "token")
    assert len(written) > 2
    assert sum(one.rows for one in written) == ROWS
    read = pl.concat([pl.read_parquet(one.path) for one in written]).sort("event_timestamp")
    assert read.equals(frame.drop("event_date"))
    assert {one.path for one in written} == set(tmp_path.iterdir())


def test_a_file_says_of_itself_what_it_holds(tmp_path: Path) -> None:
    (one,) = write_files(tmp_path, UNIFIED_EVENTS, events(10), "token")
    assert one.rows == 10
    assert one.size == one.path.stat().st_size
    assert one.null_counts == {
        "event_name": 0,
        "event_timestamp": 0,
        "message_id": 0,
        "template_id": 5,
        "campaign_id": 10,
    }
    assert "event_date" not in pq.read_schema(one.path).names
    stats = json.loads(one.stats())
    assert stats["numRecords"] == 10
    assert stats["minValues"] == {"event_timestamp": "2026-01-05T00:00:00.000Z"}
    assert stats["maxValues"] == {"event_timestamp": "2026-01-05T00:00:00.001Z"}


MOMENTS = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_statistics_are_widened_and_never_narrowed(one: datetime, other: datetime) -> None:
    first, last = sorted((one, other))
    stats = json.loads(DayFile(Path("x"), 1, 1, {}, first, last).stats())
    assert datetime.fromisoformat(stats["minValues"]["event_timestamp"]) <= first
    assert datetime.fromisoformat(stats["maxValues"]["event_timestamp"]) >= last


def test_nothing_writes_no_file(tmp_path: Path) -> None:
    for rows in (events(0), events(0).lazy(), iter([]), iter([events(0)])):
        assert write_files(tmp_path, UNIFIED_EVENTS, rows, "token") == []
    assert list(tmp_path.iterdir()) == []


def test_a_writer_removes_its_own_files_only(tmp_path: Path) -> None:
    write_files(tmp_path, UNIFIED_EVENTS, events(1), "mine")
    (theirs,) = write_files(tmp_path, UNIFIED_EVENTS, events(1), "theirs")
    remove_files(tmp_path, "mine")
    assert list(tmp_path.iterdir()) == [theirs.path]
