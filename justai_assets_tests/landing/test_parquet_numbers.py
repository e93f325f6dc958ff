"""Declared numbers, from whatever type a warehouse writes them in."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.landing.parquet import DropFileError, decoded

NUMBERS: list[tuple[pa.Array, list[float | None]]] = [
    (pa.array([1, None]), [1.0, None]),
    (pa.array([2**63], pa.uint64()), [float(2**63)]),
    (pa.array([1.5, float("inf"), None]), [1.5, float("inf"), None]),
    (pa.array([2.5], pa.float32()), [2.5]),
    (pa.array([Decimal("12.50"), None]), [12.5, None]),
    (pa.nulls(2), [None, None]),
    (pa.array(["12.5", " 7 ", "-1e3", "", None]), [12.5, 7.0, -1000.0, None, None]),
    (pa.array(["1", "2"]).dictionary_encode(), [1.0, 2.0]),
    (pa.array([b"3"]), [3.0]),
    (pa.array(["1e999"]), [float("inf")]),
]


@pytest.mark.parametrize(("array", "expected"), NUMBERS, ids=lambda one: str(getattr(one, "type", "")))
def test_a_number_is_read_whatever_type_holds_it(tmp_path: Path, array: pa.Array, expected: list[float | None]) -> None:
    assert numbers_of(tmp_path, array) == expected


@pytest.mark.parametrize(
    "text", ["1,234.50", "€ 5", "0x10", "1_000", "nan", "Infinity", "1.2.3", "12 34", "٣", b"\xff"]
)
def test_text_that_is_no_plain_number_is_nan_for_the_reader_to_judge(tmp_path: Path, text: Any) -> None:
    (found,) = numbers_of(tmp_path, pa.array([text]))
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize("array", [pa.array([True]), pa.array([[1.0]]), pa.array([date(2026, 1, 5)])], ids=str)
def test_a_column_of_another_type_is_no_number(tmp_path: Path, array: pa.Array) -> None:
    with pytest.raises(DropFileError) as caught:
        numbers_of(tmp_path, array)
    assert (caught.value.code, caught.value.column) == ("wrong_type", "value")


def test_an_optional_column_may_be_absent_and_any_other_may_not(tmp_path: Path) -> None:
    path, target = tmp_path / "file.parquet", tmp_path / "decoded.arrow"
    pq.write_table(pa.table({"a": pa.array(["x"])}), path)
    kinds = {"a": "text", "value": "number"}
    assert decoded(path, "x", kinds, target, optional=["value"]).columns == ("a",)
    with pytest.raises(DropFileError) as caught:
        decoded(path, "x", {**kinds, "b": "text"}, target, optional=["value"])
    assert (caught.value.code, caught.value.column) == ("missing_column", "b")


def numbers_of(folder: Path, array: pa.Array) -> list[float | None]:
    path = folder / "file.parquet"
    pq.write_table(pa.table({"value": array}), path)
    found: list[float | None] = (
        decoded(path, "x", {"value": "number"}, folder / "d.arrow").scan().collect()["value"].to_list()
    )
    return found
