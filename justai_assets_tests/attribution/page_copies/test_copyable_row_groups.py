from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.attribution.page_copies.copyable_row_groups import Rest, RowGroup, row_groups

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def table(times: list[datetime]) -> pa.Table:
    names = ("event_name", "message_id", "template_id", "campaign_id", "user_id")
    columns = {name: pa.array(["a"] * len(times)) for name in names}
    return pa.table({"event_timestamp": pa.array(times, pa.timestamp("us", "UTC")), **columns})


def groups_of(folder: Path, content: pa.Table, **options: Any) -> list[RowGroup | Rest]:
    pq.write_table(content, folder / "a.parquet", **options)
    return list(row_groups(folder / "a.parquet"))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli"])
@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_a_row_group_of_one_day_and_the_contracts_types_can_be_copied(
    tmp_path: Path, compression: str, page: str
) -> None:
    (group,) = groups_of(tmp_path, table([NOON, NOON]), compression=compression, data_page_version=page)
    assert isinstance(group, RowGroup)
    assert (group.day, group.rows, group.first) == (date(2026, 3, 10), 2, 0)


def test_row_groups_of_several_days_are_told_apart(tmp_path: Path) -> None:
    times = [NOON, NOON, NOON, NOON + timedelta(days=1), NOON + timedelta(days=1)]
    first, second, third = groups_of(tmp_path, table(times), row_group_size=2)
    assert isinstance(first, RowGroup)
    assert isinstance(third, RowGroup)
    assert second == Rest(2, 2, (date(2026, 3, 10), date(2026, 3, 11)))
    assert (third.first, third.rows, third.day) == (4, 1, date(2026, 3, 11))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("message_id", pa.array([1, 2])),
        ("template_id", pa.array([b"a", b"b"], pa.binary())),
        ("campaign_id", pa.array([["a"], ["b"]])),
        ("event_timestamp", pa.array([NOON, NOON], pa.timestamp("ms", "UTC"))),
        ("event_timestamp", pa.array([NOON, NOON], pa.timestamp("ns", "UTC"))),
        ("event_timestamp", pa.array([NOON, None], pa.timestamp("us", "UTC"))),
        ("event_name", pa.array(["a", None])),
    ],
)
def test_other_types_and_incomplete_rows_are_written_anew(tmp_path: Path, name: str, values: pa.Array) -> None:
    content = table([NOON, NOON])
    (group,) = groups_of(tmp_path, content.set_column(content.column_names.index(name), name, values))
    assert isinstance(group, Rest)


def test_what_the_footer_does_not_prove_or_a_copy_cannot_say_is_written_anew(tmp_path: Path) -> None:
    content = table([NOON, NOON])
    assert groups_of(tmp_path, content, write_statistics=False) == [Rest(0, 2, None)]
    assert isinstance(groups_of(tmp_path, content, compression="lz4")[0], Rest)
    fields = [pa.field(field.name, field.type, nullable=field.name != "message_id") for field in content.schema]
    assert isinstance(groups_of(tmp_path, content.cast(pa.schema(fields)))[0], Rest)


def test_small_row_groups_are_written_anew_when_larger_ones_are_wanted(tmp_path: Path) -> None:
    groups_of(tmp_path, table([NOON] * 9), row_group_size=3)
    assert all(isinstance(group, Rest) for group in row_groups(tmp_path / "a.parquet", at_least=4))
    assert all(isinstance(group, RowGroup) for group in row_groups(tmp_path / "a.parquet", at_least=3))
