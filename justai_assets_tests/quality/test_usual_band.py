from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.quality.usual_band import usual_band

numbers = st.floats(0, 1)


@given(st.lists(numbers, min_size=7, max_size=28), st.floats(0.001, 0.2))
def test_the_band_holds_the_median_and_is_never_narrower_than_the_floor(history: list[float], floor: float) -> None:
    band = usual_band(history, floor)
    assert band is not None
    low, high = band
    assert low <= sorted(history)[len(history) // 2 - (len(history) % 2 == 0)] <= high
    assert high - low >= 2 * floor * 0.999


@given(st.lists(numbers, max_size=6))
def test_less_than_a_week_gives_no_band(history: list[float]) -> None:
    assert usual_band(history, 0.05) is None


@given(st.lists(st.floats(0.45, 0.55), min_size=13, max_size=28), st.floats(100, 1e6))
def test_one_wild_day_does_not_let_everything_pass(history: list[float], wild: float) -> None:
    band = usual_band([*history, wild], 0.05)
    assert band is not None
    assert band[1] < 2


def test_a_weekly_pattern_is_usual() -> None:
    weeks = [0.5, 0.51, 0.49, 0.5, 0.52, 0.3, 0.31] * 4
    low, high = usual_band(weeks, 0.05) or pytest.fail("no band")
    assert high > 0.52
    assert low < 0.49
