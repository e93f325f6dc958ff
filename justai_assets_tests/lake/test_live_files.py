from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from deltalake import write_deltalake

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.live_files import Held, held, live_files
from justai_assets_tests.world import World

DAYS = Days(date(2026, 1, 5), date(2026, 1, 7))


def events(day: date, count: int) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = [{"event_name": "emailSend", "event_timestamp": at, "event_date": day} for _ in range(count)]
    return pl.DataFrame(rows, schema=UNIFIED_EVENTS.schema)


def replace(world: World, day: date, count: int) -> None:
    with world.lake.replacing("acme", UNIFIED_EVENTS, Days(day, day)) as rows:
        rows.write(day, events(day, count))


def test_only_files_of_the_newest_snapshot_and_of_the_days_are_named(any_world: World) -> None:
    lake = any_world.lake
    assert live_files(lake, "acme", UNIFIED_EVENTS, DAYS) == []
    for day, count in ((date(2026, 1, 4), 5), (DAYS.first, 1), (DAYS.first, 2), (DAYS.last, 3)):
        replace(any_world, day, count)
    keys = live_files(lake, "acme", UNIFIED_EVENTS, DAYS)
    with lake.root.on_disk(keys) as paths:
        assert sorted(pl.read_parquet(path, hive_partitioning=False).height for path in paths) == [2, 3]
    found = held(lake, "acme", UNIFIED_EVENTS, DAYS)
    assert [found[day].rows for day in DAYS] == [2, 0, 3]
    assert found[date(2026, 1, 6)] == Held(0, 0)
    assert found[DAYS.first].bytes > 0


def test_a_table_with_deletion_vectors_is_refused_because_its_files_hold_more_than_it_does(world: World) -> None:
    write_deltalake(
        world.lake.uri("acme", UNIFIED_EVENTS),
        events(DAYS.first, 1).to_arrow(),
        partition_by=["event_date"],
        configuration={"delta.enableDeletionVectors": "true"},
    )
    with pytest.raises(StorageError, match="deletion vectors"):
        live_files(world.lake, "acme", UNIFIED_EVENTS, DAYS)
