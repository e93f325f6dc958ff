from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from justai_assets.attribution.page_copies.copyable_row_groups import RowGroup, row_groups
from justai_assets.attribution.page_copies.parquet_footer import write_stitched
from justai_assets.contract.tables import UNIFIED_EVENTS

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def events(rows: int, *, dated: bool = False) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "event_timestamp": [NOON + timedelta(seconds=n) for n in range(rows)],
            "message_id": pl.Series(range(rows)).cast(pl.String),
            "template_id": [None if n % 3 else "é" for n in range(rows)],
            "campaign_id": pl.Series([None] * rows, dtype=pl.String),
            "event_name": ["emailSend"] * rows,
            "user_id": ["u"] * rows,
        },
        schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
    )
    return frame.with_columns(pl.col("event_timestamp").dt.date().alias("event_date")) if dated else frame


def copied(path: Path) -> list[RowGroup]:
    groups = list(row_groups(path))
    assert all(isinstance(group, RowGroup) for group in groups)
    return [group for group in groups if isinstance(group, RowGroup)]


@pytest.mark.parametrize("rows", [1, 7, 64, 1000, 20_000])
def test_polars_pyarrow_and_duckdb_read_the_rows_back_whoever_wrote_them(tmp_path: Path, rows: int) -> None:
    expected = pl.concat([events(rows, dated=True).select(UNIFIED_EVENTS.schema.names())] * 4)
    events(rows).write_parquet(tmp_path / "polars.parquet", row_group_size=max(1, rows // 3))
    events(rows, dated=True).write_parquet(tmp_path / "dated.parquet", compression="snappy")
    pq.write_table(events(rows).to_arrow(), tmp_path / "arrow.parquet", data_page_version="2.0")
    with duckdb.connect() as connection:
        connection.register("naive", events(rows).with_columns(pl.col("event_timestamp").cast(pl.Datetime("us"))).to_arrow())  # fmt: skip
        connection.execute(f"COPY naive TO '{tmp_path}/duckdb.parquet'")
    groups = [g for name in ("polars", "dated", "arrow", "duckdb") for g in copied(tmp_path / f"{name}.parquet")]
    out = tmp_path / "out.parquet"
    write_stitched(out, groups)
    assert pl.read_parquet_schema(out) == UNIFIED_EVENTS.schema
    assert pl.read_parquet(out).equals(expected)
    arrow = pl.DataFrame(pq.read_table(out))
    assert arrow.cast(dict(UNIFIED_EVENTS.schema)).equals(expected)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = "SELECT count(*), sum(message_id::BIGINT), epoch(max(event_timestamp)), count(template_id) FROM '{}' WHERE event_date = DATE '2026-03-10' AND event_timestamp >= '2026-03-10 12:00:00+00'"
        seen = connection.sql(query.format(out)).fetchall()[0]
    last = NOON + timedelta(seconds=rows - 1)
    assert seen == (4 * rows, 4 * sum(range(rows)), last.timestamp(), 4 * -(-rows // 3))


def test_the_bounds_of_times_and_dates_are_carried_so_that_readers_can_skip(tmp_path: Path) -> None:
    events(100).write_parquet(tmp_path / "a.parquet")
    write_stitched(tmp_path / "out.parquet", copied(tmp_path / "a.parquet"))
    meta = pq.read_metadata(tmp_path / "out.parquet").row_group(0)
    when, day, template = (meta.column(n).statistics for n in (1, 2, 4))
    assert (when.min, when.max) == (NOON, NOON + timedelta(seconds=99))
    assert day.min == day.max == NOON.date()
    assert template.null_count == 66


def test_a_file_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    events(1000).write_parquet(path)
    groups = copied(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(OSError, match="ends within a column"):
        write_stitched(tmp_path / "out.parquet", groups)
