"""Replaced files of the current days: kept for those who read them, and no longer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.compaction import remove_superseded
from justai_assets.lake.live_files import held
from justai_assets.lake.store import Lake
from justai_assets_tests.lake.test_compaction import DAYS, replace, rows, stored
from justai_assets_tests.world import World


def test_replaced_files_of_a_current_day_go_after_a_while_and_those_of_other_days_stay(any_world: World) -> None:
    """Today is replaced several times an hour: a week of its files would be hundreds of times the day."""
    lake = any_world.lake
    for mark in ("first", "second", "third"):
        replace(lake, DAYS, mark, files=1)

    def there() -> list[int]:
        return [len(list(lake.root.list(f"acme/unified_events/event_date={day}"))) for day in DAYS]

    def remove(now: datetime) -> int:
        return remove_superseded(lake, "acme", UNIFIED_EVENTS, [DAYS.last], now=now)

    now = datetime.now(UTC)
    assert remove(now + timedelta(minutes=19)) == 0, "somebody may be reading them"
    with lake.replacing("acme", UNIFIED_EVENTS, DAYS) as writer:
        writer.write(DAYS.last, rows(DAYS.last, "not committed yet", 1))
        assert remove(now + timedelta(minutes=21)) == 2
        for day in DAYS:
            writer.write(day, rows(day, "fourth", 1))
    assert there() == [4, 4, 4, 3]
    assert remove(now + timedelta(minutes=21)) == 1
    assert stored(lake).height == len(DAYS) + 1


def test_replaced_files_that_only_a_checkpoint_remembers_go_too(lake: Lake) -> None:
    for mark in ("first", "second"):
        replace(lake, DAYS, mark, files=1)
    found = lake.open_to_change("acme", UNIFIED_EVENTS)
    assert found is not None
    found.create_checkpoint()
    now = datetime.now(UTC) + timedelta(minutes=21)
    assert remove_superseded(lake, "acme", UNIFIED_EVENTS, [DAYS.last], now=now) == 1
    assert remove_superseded(lake, "acme", UNIFIED_EVENTS, [DAYS.last], now=now) == 0
    assert stored(lake).height > 0


def test_a_day_that_holds_hours_and_is_replaced_every_quarter_of_an_hour_lies_there_three_times_at_most(
    lake: Lake,
) -> None:
    """Two hours of batches on top of eight hours; the log is told the simulated time of each replacement."""
    day = DAYS.last
    start = datetime.now(UTC)
    ratios = []
    for batch in range(9):
        now = start + timedelta(minutes=15 * batch)
        with lake.replacing("acme", UNIFIED_EVENTS, Days(day, day)) as writer:
            writer.write(day, rows(day, f"batch {batch}", 32_000 + 1_000 * batch))
        log = max(lake.root.local("acme/unified_events/_delta_log").glob("*.json"))
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = int(now.timestamp() * 1000)
        log.write_text("".join(f"{json.dumps(action)}\n" for action in actions))
        remove_superseded(lake, "acme", UNIFIED_EVENTS, [day], now=now)
        live = held(lake, "acme", UNIFIED_EVENTS, Days(day, day))[day].bytes
        ratios.append(sum(one.size for one in lake.root.list("acme")) / live)
    assert max(ratios) <= 3, "kept for an hour, they came to five times"
    assert ratios[-1] > 2, "the two before are kept for who reads them"
