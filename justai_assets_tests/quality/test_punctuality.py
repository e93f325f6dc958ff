from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, ESP_EVENTS
from justai_assets.lake.ledger import RECEIVED, Fate
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.quality.punctuality import DoorStatus, built_at, door_status, share_status
from justai_assets.storage import Root
from justai_assets_tests.quality.lakes import DAY, SLUG, rows, write, write_fates

DOOR = "iterable_webhooks"
START = date(2026, 1, 1)
WEEK = Days(DAY - timedelta(days=6), DAY)
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def land(landing: Root, day: date, at: datetime) -> None:
    key = f"{day_prefix(DOOR, SLUG, day)}/0000.jsonl.zst"
    landing.write(key, b"not read here")
    os.utime(landing.local(key), (at.timestamp(), at.timestamp()))


def look(landing: Root, built: dict[date, datetime] | None) -> DoorStatus:
    return door_status(landing, SLUG, DOOR, WEEK, built)


def test_a_door_that_landed_nothing_has_no_last_file(landing: Root) -> None:
    found = look(landing, {})
    assert (found.last_file, found.last_day, found.complete, found.behind) == (None, None, None, ())
    assert found.lag(NOON) is None


def test_a_day_built_after_its_last_file_is_complete(landing: Root) -> None:
    land(landing, DAY, NOON)
    found = look(landing, {DAY: NOON + timedelta(minutes=5)})
    assert (found.last_day, found.complete, found.behind) == (DAY, DAY, ())
    assert found.lag(NOON + timedelta(hours=3)) == timedelta(hours=3)


def test_a_day_that_changed_since_it_was_built_is_behind(landing: Root) -> None:
    yesterday = DAY - timedelta(days=1)
    land(landing, yesterday, NOON - timedelta(days=1))
    land(landing, DAY, NOON)
    found = look(landing, {yesterday: NOON, DAY: NOON - timedelta(minutes=5)})
    assert (found.complete, found.behind) == (yesterday, (DAY,))


def test_a_day_without_files_that_was_rebuilt_is_no_complete_one(landing: Root) -> None:
    """A silent door's days are rebuilt empty every night, and would look complete to yesterday for ever."""
    three_days_ago = DAY - timedelta(days=3)
    land(landing, three_days_ago, NOON - timedelta(days=3))
    found = look(landing, dict.fromkeys(WEEK, NOON))
    assert (found.last_day, found.complete, found.behind) == (three_days_ago, three_days_ago, ())


def test_a_door_that_is_silent_for_longer_than_the_range_is_shown_with_its_newest_day(landing: Root) -> None:
    for age in (40, 10):
        land(landing, DAY - timedelta(days=age), NOON - timedelta(days=age))
    # A folder whose files were deleted, and one that is not of a day.
    landing.local(day_prefix(DOOR, SLUG, DAY - timedelta(days=8))).mkdir(parents=True)
    landing.local(day_prefix(DOOR, SLUG, None)).mkdir(parents=True)
    last = DAY - timedelta(days=10)
    found = look(landing, {last: NOON})
    assert found.lag(NOON) == timedelta(days=10)
    assert (found.last_day, found.complete, found.behind) == (last, last, ())
    unbuilt = look(landing, {})
    assert (unbuilt.complete, unbuilt.behind) == (None, ()), "only days of the range are named"


def test_a_file_for_a_day_to_come_is_not_the_last_one(landing: Root) -> None:
    land(landing, DAY, NOON)
    land(landing, DAY + timedelta(days=1), NOON + timedelta(hours=1))
    assert look(landing, {}).last_file == NOON


def test_a_share_is_known_by_its_mirror(lake: Lake) -> None:
    assert share_status(lake, SLUG, WEEK, {}) == DoorStatus(SLUG, "delta_share", None, None, None, ())
    before = DAY - timedelta(days=20)
    write(lake, DELTA_SHARE, {day: [rows(DELTA_SHARE, day, 3)] for day in (before, DAY)})
    emptied = DAY - timedelta(days=1)
    write_fates(lake, DELTA_SHARE.name, [Fate(day, "delta_share", RECEIVED, 3) for day in (before, emptied, DAY)])
    now = datetime.now(UTC)
    built = {day: now + timedelta(minutes=1) for day in (before, emptied)}
    found = share_status(lake, SLUG, WEEK, built)
    assert found.last_file is not None
    assert now - found.last_file < timedelta(minutes=1)
    assert (found.last_day, found.complete, found.behind) == (DAY, before, (DAY,))


@pytest.mark.parametrize(
    ("hours", "lateness"),
    [(0, "on time"), (25, "on time"), (26, "late"), (49, "late"), (50, "silent"), (999, "silent")],
)
def test_a_door_is_late_after_a_day_and_silent_after_two(hours: int, lateness: str) -> None:
    status = DoorStatus(SLUG, DOOR, NOON, DAY, None, ())
    assert status.lateness(NOON + timedelta(hours=hours), START) == lateness


def test_a_door_that_never_landed_is_late_since_the_org_began() -> None:
    never = DoorStatus(SLUG, DOOR, None, None, None, ())
    began = datetime(2026, 2, 1, tzinfo=UTC)
    assert never.lateness(began + timedelta(hours=25), began.date()) == "on time"
    assert never.lateness(began + timedelta(hours=26), began.date()) == "late"
    assert never.lateness(began + timedelta(days=9), began.date()) == "silent"


def test_a_door_that_no_table_reads_is_neither_complete_nor_behind(landing: Root) -> None:
    land(landing, DAY, NOON)
    found = look(landing, None)
    assert (found.last_day, found.complete, found.behind) == (DAY, None, ())


def test_the_ledger_says_when_each_day_was_built(lake: Lake) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    write_fates(lake, ESP_EVENTS.name, [Fate(DAY, DOOR, RECEIVED, 5)])
    write_fates(lake, "custom_events", [Fate(DAY - timedelta(days=1), "redshift", RECEIVED, 5)])
    built = built_at(lake, SLUG, ESP_EVENTS.name, WEEK)
    assert list(built) == [DAY]
    assert began <= built[DAY] <= datetime.now(UTC)
