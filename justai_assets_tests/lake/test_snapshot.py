from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.snapshot import Snapshot
from justai_assets_tests.world import World

DAYS = Days(date(2026, 1, 5), date(2026, 1, 6))


def replace(world: World, day: date, count: int) -> None:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = [{"event_name": "emailSend", "event_timestamp": at, "event_date": day} for _ in range(count)]
    with world.lake.replacing("acme", UNIFIED_EVENTS, Days(day, day)) as writer:
        writer.write(day, pl.DataFrame(rows, schema=UNIFIED_EVENTS.schema))


def test_what_is_committed_later_is_not_seen(any_world: World) -> None:
    replace(any_world, DAYS.first, 2)
    snapshot = Snapshot.of(any_world.lake, "acme", UNIFIED_EVENTS)
    replace(any_world, DAYS.first, 3)
    replace(any_world, DAYS.last, 4)
    assert [snapshot.count(day) for day in DAYS] == [2, 0]
    assert snapshot.scan(DAYS).collect().height == 2
    newer = Snapshot.of(any_world.lake, "acme", UNIFIED_EVENTS)
    assert [newer.count(day) for day in DAYS] == [3, 4]
    assert newer.scan(Days(DAYS.last, DAYS.last)).collect().height == 4


def test_a_table_that_was_not_written_yet_stays_empty(any_world: World) -> None:
    snapshot = Snapshot.of(any_world.lake, "acme", UNIFIED_EVENTS)
    replace(any_world, DAYS.first, 2)
    assert snapshot.count(DAYS.first) == 0
    assert snapshot.scan(DAYS).collect().is_empty()
    assert snapshot.scan(DAYS).collect_schema() == UNIFIED_EVENTS.schema
