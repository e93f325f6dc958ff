from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.days import Days, DaysError, parse_day

DATES = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))


@given(DATES, st.integers(0, 60))
def test_a_range_holds_each_day_once_in_order_and_no_other(first: date, span: int) -> None:
    days = Days(first, first + timedelta(days=span))
    listed = list(days)
    assert listed == sorted(set(listed))
    assert len(listed) == len(days) == span + 1
    assert all(day in days for day in listed)
    assert first - timedelta(days=1) not in days
    assert days.last + timedelta(days=1) not in days


def test_text_is_not_a_day_of_a_range() -> None:
    assert "2026-01-05" not in Days.parse("2026-01-05", "2026-01-05")


def test_one_day_reads_as_the_day_and_several_as_a_range() -> None:
    assert str(Days.parse("2026-01-05", "2026-01-05")) == "2026-01-05"
    assert str(Days.parse("2026-01-05", "2026-01-07")) == "2026-01-05 … 2026-01-07"


def test_a_range_that_ends_before_it_begins_is_refused_with_its_mend() -> None:
    with pytest.raises(DaysError, match=r"holds no day.*earlier day first"):
        Days.parse("2026-01-07", "2026-01-05")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-02-29", "05/01/2026", "2026-1-5", "2026-01-05T00:00:00"]
)
def test_what_is_not_a_day_is_named(text: str) -> None:
    with pytest.raises(DaysError) as caught:
        parse_day(text)
    assert repr(text) in str(caught.value)
    assert not caught.value.transient


@pytest.mark.parametrize("text", ["20260105", "2026-W02-1"])
def test_other_iso_spellings_of_a_date_are_refused_as_the_message_says(text: str) -> None:
    with pytest.raises(DaysError, match=r"YYYY-MM-DD"):
        parse_day(text)
