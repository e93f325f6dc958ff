from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS
from justai_assets.lake.ledger import RECEIVED, Fate
from justai_assets.lake.store import Lake
from justai_assets.landing.paths import day_prefix
from justai_assets.quality.punctuality import DoorStatus, built_at, door_status
from justai_assets.storage import Root
from justai_assets_tests.quality.lakes import DAY, SLUG, write_fates

DOOR = "iterable_webhooks"
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


def test_a_day_without_files_that_was_built_is_complete(landing: Root) -> None:
    assert look(landing, {DAY: NOON}).complete == DAY


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
