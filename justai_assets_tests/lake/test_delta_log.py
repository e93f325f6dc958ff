"""What the log alone says of a table's files is what delta-rs says, or is left to delta-rs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import ESP_EVENTS, FATES, TABLES, UNIFIED_EVENTS, Table
from justai_assets.lake import delta_log
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.compaction import compact
from justai_assets.lake.delta_log import live_names, names_of_opened
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.lake.store import Lake
from justai_assets_tests.lake.week import FIRST, WEEK, events, replace
from justai_assets_tests.world import WEBHOOK_ORG, World, esp


def both(lake: Lake, table: Table = UNIFIED_EVENTS) -> set[tuple[str, int, tuple[str | None, ...]]]:
    """What the log says, after it was compared with what delta-rs says."""
    mine, theirs = (
        {(one.path, one.modified, tuple(one.partition[name] or None for name in table.partition_by)) for one in found}
        for found in (live_names(lake, "acme", table), names_of_opened(Lake(lake.root), "acme", table))
    )
    assert mine == theirs
    return mine


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to delta-rs where this is asked for."""

    def never(*_: object) -> None:
        raise AssertionError("the log of a table of ours was left to delta-rs")

    monkeypatch.setattr("justai_assets.lake.delta_log.names_of_opened", never)


def commits(any_world: World) -> Lake:
    """Every kind of commit: days written, replaced, emptied and merged, undated rows, a change of the properties."""
    lake = any_world.lake
    for _ in range(2):
        replace(lake, WEEK, *(events(day, "a", "b") for day in WEEK))
    replace(lake, Days(FIRST, FIRST + timedelta(days=2)), events(FIRST, "c"))
    for half in ("d", "e"):
        with lake.replacing("acme", UNIFIED_EVENTS, Days(WEEK.last, WEEK.last)) as writer:
            writer.write(WEEK.last, events(WEEK.last, half))
            writer.write(WEEK.last, events(WEEK.last, "f"))
    compact(lake, "acme", UNIFIED_EVENTS)
    for day in (FIRST, None):
        days = None if day is None else Days(day, day)
        for asset in ("esp_events", "with space+%"):
            with lake.replacing("acme", FATES, days, partition={"asset": asset}) as writer:
                writer.write(day, fates_frame(asset, [Fate(day, "x", "received", 1)]))
    return lake


def test_it_is_what_delta_rs_says_after_every_kind_of_commit(any_world: World, alone: None) -> None:
    lake = commits(any_world)
    assert len(both(lake)) == len(WEEK)
    assert {partition for *_, partition in both(lake, FATES)} == {
        (str(FIRST), "esp_events"), (str(FIRST), "with space+%"), (None, "esp_events"), (None, "with space+%"),
    }  # fmt: skip
    assert both(lake, ESP_EVENTS) == set()


def test_it_is_the_same_from_a_checkpoint_and_from_what_came_after_it(any_world: World, alone: None) -> None:
    lake = commits(any_world)
    for table in (UNIFIED_EVENTS, FATES):
        before = both(lake, table)
        found = lake.open_to_change("acme", table)
        assert found is not None
        found.create_checkpoint()
        assert both(lake, table) == before
    replace(lake, Days(FIRST, FIRST), events(FIRST, "later"))
    with lake.replacing("acme", FATES, Days(FIRST, FIRST), partition={"asset": "esp_events"}) as writer:
        writer.write(FIRST, fates_frame("esp_events", [Fate(FIRST, "x", "received", 2)]))
    assert len(both(lake)) == len(WEEK)
    assert len(both(lake, FATES)) == 4


def test_logs_older_than_the_checkpoint_are_not_needed(world: World, alone: None) -> None:
    lake = commits(world)
    found = lake.open_to_change("acme", UNIFIED_EVENTS)
    assert found is not None
    found.create_checkpoint()
    for file in log(lake).glob("*.json"):
        if int(file.stem) < found.version():
            file.unlink()
    assert len(both(lake)) == len(WEEK)


def test_every_table_of_an_org_is_read_without_opening_one(world: World, alone: None) -> None:
    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", str(FIRST), [esp("emailSend", f"{FIRST} 10:00:00", messageId="m1")])
    assert world.materialize(str(FIRST), str(FIRST))
    for table in TABLES.values():
        live_names(world.lake, "acme", table)
    built = BuiltDays.of_tables(world.lake, "acme", list(TABLES.values()))
    for table in TABLES.values():
        assert built[table.name] == BuiltDays.of(world.lake, "acme", table), table.name
    assert FIRST in built["esp_events"].at


def log(lake: Lake) -> Path:
    return lake.root.local("acme/unified_events/_delta_log")


def newest(lake: Lake) -> Path:
    return max(log(lake).glob("*.json"))


def append(lake: Lake, *actions: dict[str, object]) -> None:
    path = log(lake) / f"{int(newest(lake).stem) + 1:020}.json"
    path.write_text("".join(f"{json.dumps(action)}\n" for action in actions))


def test_a_reader_version_above_the_first_is_left_to_delta_rs(lake: Lake) -> None:
    replace(lake, WEEK, *(events(day, "a") for day in WEEK))
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"]}
    append(lake, {"protocol": {**features, "writerFeatures": ["timestampNtz"]}})
    with pytest.raises(delta_log._UnusualError):
        delta_log._Log.of(lake.root, "acme/unified_events/_delta_log")
    assert len(both(lake)) == len(WEEK)


def gap(lake: Lake) -> None:
    (log(lake) / f"{1:020}.json").unlink()


def torn(lake: Lake) -> None:
    newest(lake).write_bytes(b"")


def garbage(lake: Lake) -> None:
    newest(lake).write_bytes(newest(lake).read_bytes()[:-40])


def parts(lake: Lake) -> None:
    found = lake.open_to_change("acme", UNIFIED_EVENTS)
    assert found is not None
    found.create_checkpoint()
    (whole,) = log(lake).glob("*.checkpoint.parquet")
    whole.rename(log(lake) / f"{whole.name[:20]}.checkpoint.{1:010}.{1:010}.parquet")


def broken_checkpoint(lake: Lake) -> None:
    found = lake.open_to_change("acme", UNIFIED_EVENTS)
    assert found is not None
    found.create_checkpoint()
    (whole,) = log(lake).glob("*.checkpoint.parquet")
    whole.write_bytes(whole.read_bytes()[:100])


def added_and_removed(lake: Lake) -> None:
    (one, *_) = live_names(lake, "acme", UNIFIED_EVENTS)
    add = next(
        action
        for line in newest(lake).read_text().splitlines()
        if (action := json.loads(line).get("add")) and action["path"] == one.path
    )
    append(lake, {"remove": {"path": one.path, "dataChange": True, "deletionTimestamp": 1}}, {"add": add})


@pytest.mark.parametrize("harm", [gap, torn, garbage, parts, broken_checkpoint, added_and_removed])
def test_what_is_not_plain_is_left_to_delta_rs_and_so_is_its_error(lake: Lake, harm: Callable[[Lake], None]) -> None:
    for name in "ab":
        replace(lake, WEEK, *(events(day, name) for day in WEEK))
    harm(lake)
    with pytest.raises(Exception) as caught:
        delta_log._Log.of(lake.root, "acme/unified_events/_delta_log")
    assert not isinstance(caught.value, StorageError)
    mine, theirs = Lake(lake.root), Lake(lake.root)
    try:
        expected = {one.path for one in names_of_opened(theirs, "acme", UNIFIED_EVENTS)}
    except StorageError as error:
        with pytest.raises(StorageError, match=str(error)[:40]):
            live_names(mine, "acme", UNIFIED_EVENTS)
    else:
        assert {one.path for one in live_names(mine, "acme", UNIFIED_EVENTS)} == expected
