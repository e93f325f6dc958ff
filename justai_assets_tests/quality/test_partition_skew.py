from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from justai_assets.quality.day_result import Verdict
from justai_assets.quality.partition_skew import partition_skew
from justai_assets_tests.quality.lakes import DAY, ONE


def judge(today: int, *before: int) -> Verdict:
    days = [DAY - timedelta(days=back) for back in range(len(before) + 1)]
    return partition_skew(ONE, pl.DataFrame({"event_date": days, "rows": [today, *before]}))[0]


@pytest.mark.parametrize(
    ("today", "is_sound"), [(10_000, True), (50_000, True), (50_001, False), (2000, True), (1999, False), (0, False)]
)
def test_a_day_beyond_five_times_the_median_warns(today: int, is_sound: bool) -> None:
    assert judge(today, *[10_000] * 7).is_sound == is_sound


def test_a_week_of_history_is_needed() -> None:
    assert judge(1_000_000, *[10_000] * 6).is_sound


def test_small_days_are_left_to_chance() -> None:
    assert judge(999, *[10] * 20).is_sound


def test_days_older_than_four_weeks_do_not_count() -> None:
    assert judge(10_000, *[10_000] * 28, *[1_000_000] * 60).is_sound


def test_one_huge_day_before_does_not_make_an_ordinary_one_small() -> None:
    assert judge(10_000, 10_000_000, *[10_000] * 6).is_sound
