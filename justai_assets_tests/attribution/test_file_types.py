"""`justai attribute` over every type that Arrow and DuckDB write, in a column that is read and in one that is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.attribution.event_files import CUSTOM_COLUMNS, ENGAGEMENT_COLUMNS, InputError
from justai_assets.attribution.file_attribution import Summary, attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets_tests.landing.test_parquet_types import ARROW, AT, DUCKDB, IMPOSSIBLE

COLUMNS = [("esp", name) for name in ENGAGEMENT_COLUMNS] + [("custom", name) for name in CUSTOM_COLUMNS]


def files(folder: Path, changed: str, **columns: Any) -> None:
    """A send and a purchase of one person; `columns` replace or join those of `changed`."""
    send = {"event_name": ["emailSend"], "event_timestamp": pa.array([AT]), "message_id": ["m"],
            "template_id": ["501"], "campaign_id": ["9001"], "user_id": ["7"]}  # fmt: skip
    purchase = {"event_name": ["purchase"], "event_timestamp": pa.array([AT + timedelta(hours=1)]), "user_id": ["7"]}
    for name, base in (("esp", send), ("custom", purchase)):
        pq.write_table(pa.table({**base, **(columns if name == changed else {})}), folder / f"{name}.parquet")


def attribute(folder: Path) -> Summary:
    return attribute_files(f"{folder}/esp.parquet", f"{folder}/custom.parquet", folder / "out", Rule())


def of_duckdb(kind: str, path: Path) -> pa.ChunkedArray:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {DUCKDB[kind]}::{kind} AS x) TO '{path}' (FORMAT parquet)")
    return pq.read_table(path)["x"]


@pytest.mark.parametrize("changed", ["esp", "custom"])
@pytest.mark.parametrize("name", ARROW)
def test_a_type_of_arrow_in_a_column_that_is_not_read_does_not_matter(name: str, changed: str, tmp_path: Path) -> None:
    files(tmp_path, changed, props=ARROW[name], nested=pa.StructArray.from_arrays([ARROW[name]], ["a"]))
    found = attribute(tmp_path)
    assert (found.engagement, found.custom, found.attributed, found.incomplete) == (1, 1, 1, 0)


@pytest.mark.parametrize("kind", DUCKDB)
def test_a_file_of_duckdb_with_a_type_in_a_column_that_is_not_read_does_not_matter(kind: str, tmp_path: Path) -> None:
    files(tmp_path, "")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT *, {DUCKDB[kind]}::{kind} AS props FROM '{tmp_path}/custom.parquet') "
            f"TO '{tmp_path}/custom.parquet' (FORMAT parquet)"
        )
    found = attribute(tmp_path)
    assert (found.engagement, found.custom, found.attributed, found.incomplete) == (1, 1, 1, 0)


@pytest.mark.parametrize(("changed", "column"), COLUMNS)
def test_a_type_of_arrow_in_a_column_that_is_read_gives_a_value_or_names_the_column(
    changed: str, column: str, tmp_path: Path
) -> None:
    for number, name in enumerate(ARROW):
        folder = tmp_path / str(number)
        folder.mkdir()
        files(folder, changed, **{column: ARROW[name]})
        try:
            found = attribute(folder)
        except InputError as error:
            assert column in str(error), name
            continue
        assert found.engagement + found.custom + found.incomplete == 2, name
        written = [pl.read_parquet(path) for path in (folder / "out").rglob("*.parquet")]
        assert sum(map(len, written)) == found.engagement + found.attributed, name


@pytest.mark.parametrize("changed", ["esp", "custom"])
@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize("with_statistics", [True, False])
def test_a_time_that_no_date_can_hold_costs_its_row(
    name: str, changed: str, with_statistics: bool, tmp_path: Path
) -> None:
    files(tmp_path, "")
    path = tmp_path / f"{changed}.parquet"
    sound = pq.read_table(path)
    at = sound.column_names.index("event_timestamp")
    moment = sound["event_timestamp"].cast(IMPOSSIBLE[name].type, safe=False).combine_chunks()
    both = pa.concat_tables([sound, sound]).set_column(
        at, "event_timestamp", pa.concat_arrays([IMPOSSIBLE[name], moment])
    )
    pq.write_table(both, path, write_statistics=with_statistics)
    found = attribute(tmp_path)
    assert (found.engagement, found.custom, found.attributed, found.incomplete) == (1, 1, 1, 1)


@pytest.mark.parametrize("with_statistics", [True, False])
@pytest.mark.parametrize("end", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_first_and_the_last_time_of_the_calendar_are_times(
    end: datetime, with_statistics: bool, tmp_path: Path
) -> None:
    files(tmp_path, "")
    for name in ("esp", "custom"):
        sound = pq.read_table(tmp_path / f"{name}.parquet")
        at = sound.column_names.index("event_timestamp")
        ends = sound.set_column(at, "event_timestamp", pa.array([end], sound["event_timestamp"].type))
        pq.write_table(pa.concat_tables([sound, ends]), tmp_path / f"{name}.parquet", write_statistics=with_statistics)
    found = attribute(tmp_path)
    assert (found.engagement, found.custom, found.attributed, found.incomplete) == (2, 2, 2, 0)
