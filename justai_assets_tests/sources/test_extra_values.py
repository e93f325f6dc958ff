import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.orgs.extra_columns import Kind, dtype_of
from justai_assets.sources.extra_values import AT_FAULT, MAX_NUMBER, faults, judged_extra

COLUMNS: dict[str, Kind] = {"value": "number", "points": "number", "country": "text"}


def rows(value: Any = None, points: Any = None, country: Any = None, reason: Any = None) -> pl.LazyFrame:
    row = {"value": value, "points": points, "country": country, "reason": reason, "who": "jane-roe-17"}
    schema = {**{name: dtype_of(kind) for name, kind in COLUMNS.items()}, "reason": pl.String(), "who": pl.String()}
    return pl.LazyFrame([row], schema=schema)


def verdict(**given: Any) -> tuple[str | None, str | None]:
    found = judged_extra(rows(**given), COLUMNS, ("who",)).collect()
    return found["reason"].item(), found[AT_FAULT].item()


@pytest.mark.parametrize(
    ("given", "reason", "column"),
    [
        ({"value": math.nan}, "bad_number", "value"),
        ({"value": math.inf}, "bad_number", "value"),
        ({"points": -math.inf}, "bad_number", "points"),
        ({"value": 2 * MAX_NUMBER}, "bad_number", "value"),
        ({"points": -2 * MAX_NUMBER}, "bad_number", "points"),
        ({"value": -0.01}, "negative_value", "value"),
        ({"country": "jane@example.com"}, "personal_data_in_identifier", "country"),
        ({"country": "+43 660 1234567"}, "personal_data_in_identifier", "country"),
        ({"country": "10.1.2.3"}, "personal_data_in_identifier", "country"),
        ({"country": "Jane-Roe-17"}, "personal_data_in_identifier", "country"),
        ({"country": "x" * 257}, "identifier_too_long", "country"),
        ({"country": '{"a": 1}'}, "bad_body", "country"),
    ],
)
def test_a_row_is_refused_for_what_a_declared_column_cannot_hold(given: Any, reason: str, column: str) -> None:
    assert verdict(**given) == (reason, column)
    assert faults(judged_extra(rows(**given), COLUMNS, ("who",))) == [(reason, column)]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"value": 0.0},
        {"value": MAX_NUMBER},
        {"points": -5.0},
        {"country": "AT"},
        {"country": " "},
        {"country": "7"},
    ],
)
def test_any_other_row_is_accepted(given: Any) -> None:
    assert verdict(**given) == (None, None)
    assert faults(judged_extra(rows(**given), COLUMNS, ("who",))) == []


def test_text_is_trimmed_and_blank_text_is_null() -> None:
    assert judged_extra(rows(country=" AT "), COLUMNS).collect()["country"].item() == "AT"
    assert judged_extra(rows(country="  "), COLUMNS).collect()["country"].item() is None


def test_an_earlier_reason_stands_and_blames_no_column() -> None:
    assert verdict(value=math.nan, reason="undated") == ("undated", None)


def test_without_declared_columns_rows_are_as_they_were() -> None:
    assert AT_FAULT not in judged_extra(rows(), {}).collect_schema()


@given(st.floats())
def test_whatever_float_comes_what_is_accepted_is_an_amount(value: float) -> None:
    reason, _ = verdict(value=value)
    assert (reason is None) == (math.isfinite(value) and 0 <= value <= MAX_NUMBER)
