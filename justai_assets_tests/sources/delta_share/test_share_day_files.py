from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.sources.delta_share.download import file_rows
from justai_assets.sources.delta_share.protocol import SharedFile
from justai_assets.sources.delta_share.share_day_files import CutFiles
from justai_assets.sources.delta_share.share_errors import CorruptFileError
from justai_assets_tests.sources.delta_share.shared import D1, D2, NAME, events


def shared(path: Path, frame: pl.DataFrame, **how: object) -> SharedFile:
    frame.write_parquet(path)
    return SharedFile("id/with:odd characters", "", path.stat().st_size, **how)


def test_a_file_of_several_days_is_cut_once_and_keeps_its_row_numbers(tmp_path: Path) -> None:
    undated = events(D1, 1).with_columns(pl.lit(None, pl.Date).alias("event_date"))
    path = tmp_path / "f.parquet"
    file = shared(path, pl.concat([events(D1, 2), undated, events(D2, 3)]))
    pieces = CutFiles(tmp_path / "pieces", NAME)
    assert pieces.of(file) is None
    cut = pieces.cut(file, path)
    rows = {day: pl.read_parquet(piece, hive_partitioning=False)["source_row"].to_list() for day, piece in cut.items()}
    assert rows == {D1: [0, 1], None: [2], D2: [3, 4, 5]}
    assert not path.exists()
    assert pieces.of(file) == cut
    pieces.forget(file)
    assert pieces.of(file) is None


def test_a_cut_that_was_killed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    file = shared(path, events(D1, 2))
    pieces = CutFiles(tmp_path / "pieces", NAME)
    whole = pieces.cut(file, path)[D1].read_bytes()
    pieces.forget(file)
    file = shared(path, events(D1, 2))
    debris = next(iter(_part_of(pieces, file, path)))
    assert debris.exists()
    assert pieces.cut(file, path)[D1].read_bytes() == whole
    assert not debris.exists()


def _part_of(pieces: CutFiles, file: SharedFile, path: Path) -> list[Path]:
    from justai_assets.sources.delta_share.download import local_name

    folder = pieces._folder / f"{local_name(file.id)}.part" / "event_date=2020-01-01"
    folder.mkdir(parents=True)
    (folder / "0.parquet").write_bytes(b"half")
    return [folder / "0.parquet"]


def test_a_file_without_rows_holds_no_day(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    assert dict(CutFiles(tmp_path / "pieces", NAME).cut(shared(path, events(D1, 0)), path)) == {}


def test_partition_values_come_from_the_listing_even_when_the_file_says_otherwise(tmp_path: Path) -> None:
    values = {
        "campaign_id": "7",
        "template_id": None,
        "event_timestamp": "2026-01-02 08:15:00.5",
        "event_date": "2026-01-02",
    }
    file = shared(tmp_path / "f.parquet", events(D1, 1), partition=values)
    row = file_rows(file, tmp_path / "f.parquet", tmp_path / "x.arrow", dated=True).collect().to_dicts()[0]
    assert row["campaign_id"] == "7"
    assert row["template_id"] is None
    assert row["event_date"] == D2
    assert row["event_timestamp"] == datetime(2026, 1, 2, 8, 15, 0, 500_000, tzinfo=UTC)


def test_a_column_added_after_the_file_was_written_is_null(tmp_path: Path) -> None:
    file = shared(tmp_path / "f.parquet", events(D1, 2).drop("campaign_id"))
    assert file_rows(file, tmp_path / "f.parquet", tmp_path / "x.arrow").collect()["campaign_id"].to_list() == [
        None,
        None,
    ]


def test_int96_times_beyond_nanoseconds_do_not_wrap_into_a_real_day(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    far = datetime(9999, 12, 31, tzinfo=UTC)
    table = events(D1, 1).with_columns(pl.lit(far).dt.cast_time_unit("us").alias("event_timestamp")).to_arrow()
    pq.write_table(pa.table(table), path, use_deprecated_int96_timestamps=True)
    file = SharedFile("a", "", path.stat().st_size)
    assert file_rows(file, path, tmp_path / "x.arrow").collect()["event_timestamp"].item() == far


@pytest.mark.parametrize(
    "change",
    [
        pl.lit("2026-01-01").alias("event_timestamp"),
        pl.lit("2026-01-01").alias("event_date"),
        pl.lit(date(2026, 1, 1)).alias("message_id"),
    ],
)
def test_a_file_whose_own_types_are_not_the_tables_is_refused(tmp_path: Path, change: pl.Expr) -> None:
    file = shared(tmp_path / "f.parquet", events(D1, 2).with_columns(change))
    with pytest.raises(CorruptFileError, match="wrong_type"):
        file_rows(file, tmp_path / "f.parquet", tmp_path / "x.arrow", dated=True)


@pytest.mark.parametrize(
    "value",
    ["2026-01-01 08:15:00.5", "2026-01-01T08:15:00.500Z", "2026-01-01T08:15:00.500000+00:00"],
)
def test_a_partition_value_is_a_time_in_either_form(tmp_path: Path, value: str) -> None:
    path = tmp_path / "f.parquet"
    file = shared(path, events(D1, 1).drop("event_timestamp"), partition={"event_timestamp": value})
    found = file_rows(file, path, tmp_path / "x.arrow").collect()["event_timestamp"].to_list()
    assert found == [datetime(2026, 1, 1, 8, 15, 0, 500_000, tzinfo=UTC)]


def test_one_day_of_a_cut_may_leave_before_the_others(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    file = shared(path, pl.concat([events(D1, 2), events(D2, 2)]))
    pieces = CutFiles(tmp_path / "pieces", NAME)
    gone = pieces.cut(file, path)[D1]
    pieces.drop(file, D1)
    pieces.drop(file, D1)
    assert not gone.exists()
    assert set(pieces.of(file) or {}) == set(CutFiles(tmp_path / "pieces", NAME).of(file) or {}) == {D2}
    assert pieces.days(file) == {D1, D2}
