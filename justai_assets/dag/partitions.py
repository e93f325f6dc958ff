"""Daily partitions in UTC, and the lookback by which a late send reopens the days it can change."""

from datetime import date
from functools import cache

import dagster as dg

from justai_assets.contract.days import Days


@cache
def daily(start_date: date) -> dg.DailyPartitionsDefinition:
    """Days from the org's start to today, today included: a partition that does not exist swallows its events."""
    return dg.DailyPartitionsDefinition(start_date.isoformat(), end_offset=1)


def days_around(back: int = 0, ahead: int = 0) -> dg.TimeWindowPartitionMapping:
    """Day D needs D-`back` … D+`ahead`: rewriting D reopens D-`ahead` … D+`back`."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-back, end_offset=ahead, allow_nonexistent_upstream_partitions=True
    )


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Days:
    """The range of days a run is for."""
    keys = context.partition_keys if isinstance(context, dg.AssetExecutionContext) else _check_keys(context)
    return Days(date.fromisoformat(keys[0]), date.fromisoformat(keys[-1]))


def _check_keys(context: dg.AssetCheckExecutionContext) -> list[str]:
    return list(context.op_execution_context.partition_keys)


def range_tags(days: Days) -> dict[str, str]:
    """Run tags that make one run cover a range of days."""
    return {
        "dagster/asset_partition_range_start": days.first.isoformat(),
        "dagster/asset_partition_range_end": days.last.isoformat(),
    }
