from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from justai_assets.attribution.page_copies import day_files
from justai_assets.attribution.page_copies.day_files import DayFiles
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets_tests.attribution.page_copies.test_parquet_footer import NOON, copied, events

DAY = NOON.date()


def unified(rows: int) -> pl.DataFrame:
    return events(rows, dated=True).select(UNIFIED_EVENTS.schema.names())


def test_a_day_gathers_copied_held_and_streamed_rows_into_one_file(tmp_path: Path) -> None:
    events(50).write_parquet(tmp_path / "landed.parquet")
    (tmp_path / "out").mkdir()
    collected = DayFiles(tmp_path, chunk_rows=15)
    for group in copied(tmp_path / "landed.parquet"):
        collected.copy(group)
    for _ in range(4):
        collected.add(DAY, unified(10))
    later = unified(5).with_columns(pl.col("event_timestamp", "event_date").dt.offset_by("1d"))
    assert collected.sink(pl.concat([unified(5), later]).lazy()) == 10
    days, files = collected.write_days(tmp_path / "out")
    assert list(days.values()) == [95, 5]
    assert files == ("event_date=2026-03-10/part-00000.parquet", "event_date=2026-03-11/part-00000.parquet")
    assert pl.read_parquet(tmp_path / "out" / files[1], hive_partitioning=False).equals(later)


def test_a_large_day_is_split_into_files_of_like_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events(10_000).write_parquet(tmp_path / "landed.parquet", row_group_size=500)
    groups = copied(tmp_path / "landed.parquet")
    monkeypatch.setattr(day_files, "FILE_BYTES", sum(group.size for group in groups) // 3)
    collected = DayFiles(tmp_path, chunk_rows=10)
    for group in groups:
        collected.copy(group)
    (tmp_path / "out").mkdir()
    _, files = collected.write_days(tmp_path / "out")
    sizes = [(tmp_path / "out" / name).stat().st_size for name in files]
    assert len(files) in (3, 4)
    assert max(sizes) < 2 * min(sizes)
    written = pl.concat([pl.read_parquet(tmp_path / "out" / name, hive_partitioning=False) for name in files])
    assert written.equals(unified(10_000))
