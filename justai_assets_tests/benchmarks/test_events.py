from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.events import FIRST_DAY, write_events


def test_the_same_arguments_give_the_same_events_and_the_files_are_used_again(tmp_path: Path) -> None:
    first = write_events(tmp_path / "a", 500)
    second = write_events(tmp_path / "b", 500)
    for pattern in ("esp", "custom"):
        frames = [pl.read_parquet(getattr(events, pattern)) for events in (first, second)]
        assert frames[0].equals(frames[1])
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.parquet")}
    assert write_events(tmp_path / "a", 500) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.parquet")} == written


def test_a_file_holds_one_day_in_order_and_a_heavy_user_has_his_share(tmp_path: Path) -> None:
    events = write_events(tmp_path, 5_000, skew=0.2)
    for path in sorted((tmp_path / "esp").glob("*.parquet")):
        when = pl.read_parquet(path)["event_timestamp"]
        assert when.is_sorted()
        assert when.dt.date().n_unique() == 1
    custom = pl.read_parquet(events.custom)
    assert custom["event_timestamp"].dt.date().min() == FIRST_DAY
    assert abs((custom["user_id"] == "user-000000000").mean() - 0.2) < 0.02
    assert len(custom) + len(pl.read_parquet(events.esp)) == events.rows
