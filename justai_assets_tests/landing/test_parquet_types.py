"""Every type that Arrow and DuckDB write: in a column that is read, and in one that is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.landing.parquet import UNDECODABLE, DropFileError, decoded

AT = datetime(2026, 1, 5, 10, 30, 15, 123456, tzinfo=UTC)
KINDS = {"event_timestamp": "time", "event_name": "text", "template_id": "text"}
DATED = {**KINDS, "event_date": "date"}

DUCKDB = {
    "BOOLEAN": "true", "TINYINT": "1", "SMALLINT": "1", "INTEGER": "1", "BIGINT": "1", "HUGEINT": "1", "UHUGEINT": "1",
    "UTINYINT": "1", "USMALLINT": "1", "UINTEGER": "1", "UBIGINT": "1", "FLOAT": "1.5", "DOUBLE": "1.5",
    "DECIMAL(4,1)": "1", "DECIMAL(9,2)": "1", "DECIMAL(18,3)": "1", "DECIMAL(38,10)": "1", "VARCHAR": "'x'",
    "BLOB": "'\\xff'", "BIT": "'101'", "DATE": "'2026-01-05'", "TIME": "'10:00:00'", "TIMETZ": "'10:00:00+01'",
    "TIMESTAMP": "'2026-01-05'", "TIMESTAMP_S": "'2026-01-05'", "TIMESTAMP_MS": "'2026-01-05'",
    "TIMESTAMP_NS": "'2026-01-05'", "TIMESTAMPTZ": "'2026-01-05'", "INTERVAL": "'1 month'",
    "UUID": "'b57dcd81-0000-4e41-a35c-000000000001'", "INTEGER[]": "[1, 2]", "INTEGER[2]": "[1, 2]",
    "STRUCT(a INTEGER, b VARCHAR)": "{'a': 1, 'b': 'x'}", "MAP(VARCHAR, INTEGER)": "MAP {'a': 1}",
    "JSON": "'{\"a\": 1}'", "ENUM('a', 'b')": "'a'",
}  # fmt: skip
AS_TEXT = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UHUGEINT", "UTINYINT", "USMALLINT",
                     "UINTEGER", "UBIGINT", "DECIMAL(4,1)", "DECIMAL(9,2)", "DECIMAL(18,3)", "DECIMAL(38,10)"), "1"),
    "FLOAT": "1.5", "DOUBLE": "1.5", "VARCHAR": "x", "BIT": "101", "JSON": '{"a": 1}', "ENUM('a', 'b')": "a",
    "UUID": "b57dcd81-0000-4e41-a35c-000000000001", "BLOB": None,
}  # fmt: skip
"""What an id of the type reads as; a type that is absent here refuses the file."""

ARROW: dict[str, pa.Array] = {
    "bool": pa.array([True]),
    **{str(kind): pa.array([1], kind) for kind in (
        pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
        pa.float32(), pa.float64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"),
        pa.duration("s"), pa.duration("ns"),
    )},
    "float16": pa.array([1.5], pa.float64()).cast(pa.float16()),
    "decimal32": pa.array([Decimal("1.50")], pa.decimal32(5, 2)),
    "decimal64": pa.array([Decimal("1.50")], pa.decimal64(12, 2)),
    "decimal128": pa.array([Decimal("1.50")], pa.decimal128(30, 2)),
    "decimal256": pa.array([Decimal("1.50")], pa.decimal256(60, 2)),
    "string": pa.array(["x"]), "large_string": pa.array(["x"], pa.large_string()),
    "string_view": pa.array(["x"], pa.string_view()), "binary": pa.array([b"\xff"]),
    "large_binary": pa.array([b"x"], pa.large_binary()), "binary_view": pa.array([b"x"], pa.binary_view()),
    "fixed": pa.array([b"xy"], pa.binary(2)), "uuid": pa.array([b"0123456789abcdef"], pa.uuid()),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
    "opaque": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "t", "v"), pa.array(["x"])),
    "dictionary": pa.array(["x"]).dictionary_encode(),
    "dictionary of int": pa.array([1]).dictionary_encode(),
    "date32": pa.array([date(2026, 1, 5)]), "date64": pa.array([date(2026, 1, 5)], pa.date64()),
    **{f"timestamp {unit} {zone}": pa.array([AT]).cast(pa.timestamp(unit, zone), safe=False)
       for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "+05:30", "Mars/Phobos")},
    "null": pa.nulls(1), "list": pa.array([[1]]), "large_list": pa.array([[1]], pa.large_list(pa.int64())),
    "fixed_list": pa.array([[1, 2]], pa.list_(pa.int64(), 2)), "struct": pa.array([{"a": [{"b": 1}]}]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
}  # fmt: skip


def base(**columns: Any) -> pa.Table:
    return pa.table({"event_timestamp": pa.array([AT]), "event_name": ["x"], "template_id": ["501"], **columns})


def read(path: Path, kinds: dict[str, str] = KINDS) -> dict[str, Any]:
    file = decoded(path, "x", kinds, path.with_suffix(".arrow"))
    return file.scan().collect().row(0, named=True)


def by_duckdb(path: Path, kind: str, column: str) -> Path:
    wanted = f"{DUCKDB[kind]}::{kind} AS {column}"
    others = "" if column != "template_id" else ", 'x' AS other"
    template = ", '501' AS template_id" if column != "template_id" else ""
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT TIMESTAMPTZ '{AT.isoformat()}' AS event_timestamp, 'x' AS event_name{template}{others}, "
            f"{wanted}) TO '{path}' (FORMAT parquet)"
        )
    return path


@pytest.mark.parametrize("kind", DUCKDB)
def test_a_type_of_duckdb_in_a_column_that_is_not_read_does_not_matter(kind: str, tmp_path: Path) -> None:
    found = read(by_duckdb(tmp_path / "x.parquet", kind, "props"))
    assert (found["event_timestamp"], found["event_name"], found["template_id"]) == (AT, "x", "501")


@pytest.mark.parametrize("kind", DUCKDB)
def test_a_type_of_duckdb_in_an_id_is_its_text_or_refuses_the_file(kind: str, tmp_path: Path) -> None:
    path = by_duckdb(tmp_path / "x.parquet", kind, "template_id")
    if kind in AS_TEXT:
        found = read(path)
        assert found["template_id"] == AS_TEXT[kind]
        assert found[UNDECODABLE] is (kind == "BLOB")
    else:
        with pytest.raises(DropFileError) as caught:
            read(path)
        assert (caught.value.code, caught.value.column) == ("wrong_type", "template_id")


@pytest.mark.parametrize("name", ARROW)
def test_a_type_of_arrow_in_a_column_that_is_not_read_does_not_matter(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(base(props=ARROW[name], nested=pa.StructArray.from_arrays([ARROW[name]], ["a"])), path)
    found = read(path)
    assert (found["event_timestamp"], found["event_name"], found["template_id"]) == (AT, "x", "501")


@pytest.mark.parametrize("column", DATED)
@pytest.mark.parametrize("name", ARROW)
def test_a_type_of_arrow_in_a_column_that_is_read_gives_a_value_or_refuses_the_file(
    name: str, column: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(base(**{column: ARROW[name]}), path)
    try:
        found = read(path, {**KINDS, column: DATED[column]})
    except DropFileError as error:
        assert (error.code, error.column, error.rows) == ("wrong_type", column, 1)
        return
    if column == "event_date":
        assert found[column] == AT.date()
    elif column == "event_timestamp":
        assert found[column] == AT.replace(microsecond=found[column].microsecond)
    else:
        assert found[column] is None or isinstance(found[column], str)


LIMIT = 2**63 - 1
IMPOSSIBLE = {
    "infinity": pa.array([LIMIT], pa.timestamp("us")), "minus infinity": pa.array([-LIMIT], pa.timestamp("us")),
    "minus 2^63": pa.array([-LIMIT - 1], pa.timestamp("us", "UTC")), "ms": pa.array([LIMIT], pa.timestamp("ms")),
    "a wrap of ms": pa.array([18446744073709552 + 1767606615123], pa.timestamp("ms")),
    "year 10000": pa.array([253_402_300_800_000_000], pa.timestamp("us")),
    "year 0": pa.array([-62_135_596_800_000_001], pa.timestamp("us", "UTC")),
    "year 58856": pa.array([1_795_000_000_000_000_000], pa.timestamp("us", "UTC")),
}  # fmt: skip


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_time_that_no_date_can_hold_is_null(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    kind = IMPOSSIBLE[name].type
    both = pa.concat_arrays([IMPOSSIBLE[name], pa.array([0], kind)])
    pq.write_table(pa.table({"event_timestamp": both, "event_name": ["x"] * 2, "template_id": ["1"] * 2}), path)
    file = decoded(path, "x", KINDS, path.with_suffix(".arrow"))
    assert file.scan().collect()["event_timestamp"].to_list() == [None, datetime(1970, 1, 1, tzinfo=UTC)]


def test_the_first_and_the_last_time_of_the_calendar_are_read(tmp_path: Path) -> None:
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"event_timestamp": ends, "event_name": ["x"] * 2, "template_id": ["1"] * 2}), path)
    assert decoded(path, "x", KINDS, path.with_suffix(".arrow")).scan().collect()["event_timestamp"].to_list() == ends


def test_an_int96_time_that_would_wrap_into_a_real_day_is_null(tmp_path: Path) -> None:
    """Julian day 2^64 microseconds later: in microseconds it is a moment of 2026 again."""
    path = tmp_path / "x.parquet"
    moments = pa.array([AT + timedelta(seconds=number) for number in range(3)])
    ids = {"event_name": ["x"] * 3, "template_id": ["1"] * 3}
    pq.write_table(
        pa.table({"event_timestamp": moments, **ids}), path, use_deprecated_int96_timestamps=True,
        use_dictionary=False, compression="none",
    )  # fmt: skip
    whole = path.read_bytes()
    julian = 2_440_588 + (AT.date() - date(1970, 1, 1)).days
    assert whole.count(julian.to_bytes(4, "little")) >= 3
    wrapped = julian + 213_503_983  # 2^64 µs, rounded up to days
    path.write_bytes(whole.replace(julian.to_bytes(4, "little"), wrapped.to_bytes(4, "little"), 1))
    found = decoded(path, "x", KINDS, path.with_suffix(".arrow")).scan().collect()["event_timestamp"].to_list()
    assert found.count(None) == 1


@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.large_string(), pa.large_binary()])
@pytest.mark.parametrize("dictionary", [True, False])
def test_bytes_that_are_no_text_cost_their_row(kind: pa.DataType, dictionary: bool, tmp_path: Path) -> None:
    values = [b"good" if number != 7 else b"\xff\xfe" for number in range(1000)]
    binary = pa.array(values, pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())
    column = binary.view(kind) if binary.type != kind and not pa.types.is_large_binary(kind) else binary
    table = pa.table({"event_timestamp": [AT] * 1000, "event_name": ["x"] * 1000, "template_id": column})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, use_dictionary=dictionary)
    file = decoded(path, "x", KINDS, path.with_suffix(".arrow"))
    rows = file.scan().collect()
    assert file.undecodable == {"template_id": 1}
    assert rows.filter(pl.col(UNDECODABLE))["source_row"].to_list() == [7]
    assert rows["template_id"].null_count() == 1


def test_the_exact_name_wins_over_one_that_differs_in_case_and_the_other_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"EVENT_NAME": ["wrong"], **{name: base()[name] for name in base().column_names}})
    pq.write_table(table, path)
    file = decoded(path, "x", KINDS, path.with_suffix(".arrow"))
    assert file.scan().collect()["event_name"].to_list() == ["x"]
    assert file.extra == ("EVENT_NAME",)


def test_of_two_columns_of_the_very_name_the_first_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    found = base()
    names = [*found.column_names, "event_name"]
    pq.write_table(pa.Table.from_arrays([*found.columns, pa.array(["second"])], names), path)
    file = decoded(path, "x", KINDS, path.with_suffix(".arrow"))
    assert file.scan().collect()["event_name"].to_list() == ["x"]
    assert file.extra == ("event_name",)
