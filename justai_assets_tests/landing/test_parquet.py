"""Files as Redshift and Spark write them, made by pyarrow with the options that make them odd."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.landing.parquet import UNDECODABLE, DropFile, DropFileError, decoded

KINDS = {"event_timestamp": "time", "event_name": "text", "template_id": "text"}
AT = datetime(2026, 1, 5, 10, 30, 15, 123456)  # noqa: DTZ001 - warehouses write times without a zone
US = pa.timestamp("us")


def table(**columns: Any) -> pa.Table:
    base = {
        "event_timestamp": pa.array([AT, AT + timedelta(seconds=1)], US),
        "event_name": pa.array(["emailSend", "emailOpen"]),
        "template_id": pa.array(["501", None]),
    }
    return pa.table({name: column for name, column in {**base, **columns}.items() if column is not None})


def write(folder: Path, content: pa.Table, **options: Any) -> Path:
    path = folder / "0000_part_00.parquet"
    pq.write_table(content, path, **options)
    return path


def opened(path: Path) -> DropFile:
    return decoded(path, path.name, KINDS, path.parent / "decoded.arrow", known=["event_date"])


def read(path: Path) -> pl.DataFrame:
    file = opened(path)
    found = file.scan().collect()
    assert found.height == file.rows
    assert found["source_row"].to_list() == list(range(found.height))
    assert found.columns == ["source_row", *KINDS, UNDECODABLE]
    assert found.schema["event_timestamp"] == pl.Datetime("us", "UTC")
    assert {found.schema[name] for name in ("event_name", "template_id")} == {pl.String()}
    assert found[UNDECODABLE].sum() == sum(file.undecodable.values())
    return found.drop("source_row", UNDECODABLE)


EXPECTED = [
    (AT.replace(tzinfo=UTC), "emailSend", "501"),
    (AT.replace(tzinfo=UTC) + timedelta(seconds=1), "emailOpen", None),
]


@pytest.mark.parametrize("version", ["1.0", "2.6"])
@pytest.mark.parametrize("compression", ["snappy", "gzip", "zstd", "none"])
def test_a_plain_file_is_read_whatever_its_compression_and_version(
    version: str, compression: str, tmp_path: Path
) -> None:
    assert read(write(tmp_path, table(), compression=compression, version=version)).rows() == EXPECTED


@pytest.mark.parametrize("dates", [[date(2026, 1, 5)] * 2, ["2026-01-05"] * 2, [date(1999, 1, 1), None]])
def test_an_included_partition_column_is_known_and_not_read(dates: list[Any], tmp_path: Path) -> None:
    folder = tmp_path / "event_date=2026-01-05"
    folder.mkdir()
    path = write(folder, table(event_date=pa.array(dates)))
    assert read(path).rows() == EXPECTED
    assert opened(path).extra == ()


def test_int96_is_read_as_utc(tmp_path: Path) -> None:
    path = write(tmp_path, table(), use_deprecated_int96_timestamps=True)
    assert read(path).rows() == EXPECTED


def test_an_int96_sentinel_of_the_year_9999_stays_in_the_year_9999(tmp_path: Path) -> None:
    far = AT.replace(year=9999, month=12, day=31)
    content = table(event_timestamp=pa.array([AT, far], US))
    path = write(tmp_path, content, use_deprecated_int96_timestamps=True)
    assert read(path)["event_timestamp"].to_list() == [AT.replace(tzinfo=UTC), far.replace(tzinfo=UTC)]


def test_an_int96_column_beyond_the_contract_is_not_even_read(tmp_path: Path) -> None:
    path = write(tmp_path, table(loaded_at=pa.array([AT, AT], US)), use_deprecated_int96_timestamps=True)
    assert opened(path).extra == ("loaded_at",)
    assert read(path).rows() == EXPECTED


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:30", "Mars/Phobos"])
def test_int64_times_of_every_unit_and_zone_are_utc_microseconds(unit: str, zone: str | None, tmp_path: Path) -> None:
    moment = AT.replace(tzinfo=UTC) if zone else AT
    content = table(
        event_timestamp=pa.array([moment, None], pa.timestamp("us", zone)).cast(pa.timestamp(unit, zone), safe=False)
    )
    expected = AT.replace(tzinfo=UTC, microsecond=123000 if unit == "ms" else 123456)
    assert read(write(tmp_path, content, version="2.6"))["event_timestamp"].to_list() == [expected, None]


def test_a_zone_that_nobody_knows_in_a_column_beyond_the_contract_is_no_hindrance(tmp_path: Path) -> None:
    odd = pa.array([1, 2], pa.timestamp("us", "Mars/Phobos"))
    nested = pa.array([{"a": 1}, None], pa.struct([("a", pa.timestamp("us", "+05:30"))]))
    assert read(write(tmp_path, table(loaded_at=odd, nested=nested))).rows() == EXPECTED


def test_columns_in_another_order_and_case_and_beyond_the_contract(tmp_path: Path) -> None:
    content = table(note=pa.array(["x", "y"]), nested=pa.array([{"a": [1]}, None]))
    content = content.select(["note", "template_id", "nested", "event_name", "event_timestamp"])
    content = content.rename_columns(["NOTE", "Template_ID", "nested", "EVENT_NAME", "Event_Timestamp"])
    path = write(tmp_path, content)
    assert read(path).rows() == EXPECTED
    assert opened(path).extra == ("NOTE", "nested")


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        (pa.array([501, None], pa.int64()), ["501", None]),
        (pa.array([501, None], pa.int32()), ["501", None]),
        (pa.array([2**63 - 1, -1], pa.int64()), ["9223372036854775807", "-1"]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([9007199254740993, None], pa.int64()), ["9007199254740993", None]),
        (pa.array([501.0, None], pa.float64()), ["501", None]),
        (pa.array([501.0, 0.5], pa.float32()), ["501", "0.5"]),
        (pa.array([501.0, float("nan")], pa.float64()), ["501", None]),
        (pa.array([501.0, float("-inf")], pa.float32()), ["501", None]),
        (pa.array([Decimal("501"), None], pa.decimal128(18, 0)), ["501", None]),
        (pa.array([Decimal("501.00"), None], pa.decimal128(18, 2)), ["501", None]),
        (pa.array([Decimal("12345678901234567890123"), None], pa.decimal128(38, 0)), ["12345678901234567890123", None]),
        (pa.array(["501", "Ab"]).dictionary_encode(), ["501", "Ab"]),
        (pa.array(["501", None], pa.large_string()), ["501", None]),
        (pa.array([b"501", None], pa.binary()), ["501", None]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_ids_of_every_type_are_the_digits_that_were_written(
    ids: pa.Array, texts: list[str | None], tmp_path: Path
) -> None:
    assert read(write(tmp_path, table(template_id=ids)))["template_id"].to_list() == texts


def test_an_empty_file_with_a_footer_has_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, table().slice(0, 0))).is_empty()
    assert read(write(tmp_path, table().slice(0, 0), use_deprecated_int96_timestamps=True)).is_empty()


def refused(path: Path) -> DropFileError:
    with pytest.raises(DropFileError) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_column_is_named_and_the_files_rows_are_counted(name: str, tmp_path: Path) -> None:
    error = refused(write(tmp_path, table(**{name: None})))
    assert (error.code, error.column, error.rows) == ("missing_column", name, 2)


def test_every_missing_column_is_named_and_the_columns_beyond_the_contract_with_them(tmp_path: Path) -> None:
    error = refused(write(tmp_path, table(event_name=None, template_id=None, Email=pa.array(["a", "b"]))))
    assert (error.column, error.extra) == ("event_name, template_id", ("Email",))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("event_timestamp", pa.array(["2026-01-05", "x"])),
        ("event_timestamp", pa.array([1767606615, 1])),
        ("event_timestamp", pa.array([date(2026, 1, 5)] * 2)),
        ("event_name", pa.array([["a"], ["b"]])),
        ("event_name", pa.array([{"a": 1}, None])),
        ("template_id", pa.array([True, None])),
        ("template_id", pa.array([AT, None], US)),
    ],
)
def test_a_type_that_cannot_be_read_as_the_contracts_refuses_the_file(
    column: str, values: pa.Array, tmp_path: Path
) -> None:
    error = refused(write(tmp_path, table(**{column: values})))
    assert (error.code, error.column, error.rows) == ("wrong_type", column, 2)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", b"hello world, no Parquet", b"PAR1" + b"\xff" * 100 + b"\x10\0\0\0PAR1"]
)
def test_what_is_no_parquet_is_unreadable_and_counts_as_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    error = refused(path)
    assert (error.code, error.rows) == ("unreadable_file", 1)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_unreadable(keep: float, tmp_path: Path) -> None:
    path = write(tmp_path, table())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert refused(path).code == "unreadable_file"


@pytest.mark.parametrize("int96", [False, True])
@pytest.mark.parametrize("compression", ["snappy", "zstd"])
def test_a_damaged_page_never_ends_in_another_error_and_never_in_fewer_rows(
    int96: bool, compression: str, tmp_path: Path
) -> None:
    count = 4000
    content = table(
        event_timestamp=pa.array([AT + timedelta(seconds=index) for index in range(count)], US),
        event_name=pa.array([f"event {index}" for index in range(count)]),
        template_id=pa.array([str(index) for index in range(count)]),
    )
    path = write(tmp_path, content, use_deprecated_int96_timestamps=int96, compression=compression)
    sound = path.read_bytes()
    luck = random.Random(f"{int96}{compression}")
    refusals = 0
    for _ in range(25):
        damaged = bytearray(sound)
        at = luck.randrange(4, len(sound) // 2)
        damaged[at : at + 8] = luck.randbytes(8)
        path.write_bytes(damaged)
        try:
            read(path)  # asserts that every promised row came
        except DropFileError as error:
            refusals += 1
            assert (error.code, error.rows) == ("unreadable_file", count)
    assert refusals > 0


def test_a_disk_that_is_full_is_not_the_files_fault(tmp_path: Path) -> None:
    path = write(tmp_path, table())
    with pytest.raises(OSError, match=r"directory"):
        decoded(path, "x", KINDS, tmp_path / "absent" / "decoded.arrow")


def test_a_moment_of_another_offset_is_the_same_moment(tmp_path: Path) -> None:
    here = datetime(2026, 1, 6, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    content = table(event_timestamp=pa.array([here, None], pa.timestamp("us", "UTC")))
    assert read(write(tmp_path, content))["event_timestamp"][0] == datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
