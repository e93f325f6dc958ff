from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.dag.partitions import daily, days_around, range_tags

START = date(2026, 1, 1)
NOW = datetime(2026, 1, 20, 0, 30, tzinfo=UTC)


def subset(*keys: str) -> dg.AssetKey:
    return daily(START).subset_with_partition_keys(keys)


def test_today_is_a_day_and_tomorrow_is_not() -> None:
    days = daily(START).get_partition_keys(current_time=NOW)
    assert (days[0], days[-1]) == ("2026-01-01", "2026-01-20")


def test_a_late_send_reopens_the_three_days_it_can_change() -> None:
    reopened = days_around(back=3).get_downstream_partitions_for_partitions(
        subset("2026-01-05"), daily(START), daily(START), current_time=NOW
    )
    assert list(reopened.get_partition_keys()) == ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"]
    nothing_more = days_around().get_downstream_partitions_for_partitions(
        subset("2026-01-05"), daily(START), daily(START), current_time=NOW
    )
    assert list(nothing_more.get_partition_keys()) == ["2026-01-05"]


@pytest.mark.parametrize(("day", "needed"), [("2026-01-05", 4), ("2026-01-02", 2), ("2026-01-01", 1)])
def test_a_day_needs_the_three_before_it_that_exist(day: str, needed: int) -> None:
    found = days_around(back=3).get_upstream_mapped_partitions_result_for_partitions(
        subset(day), daily(START), daily(START), current_time=NOW
    )
    keys = list(found.partitions_subset.get_partition_keys())
    assert keys[-1] == day
    assert len(keys) == needed


def test_a_range_is_two_tags() -> None:
    assert range_tags(Days.parse("2026-01-05", "2026-01-07")) == {
        "dagster/asset_partition_range_start": "2026-01-05",
        "dagster/asset_partition_range_end": "2026-01-07",
    }
