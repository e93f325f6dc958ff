"""Writers of one table at once: each day holds one writer's rows, whoever else is writing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, JustAIError
from justai_assets.contract.tables import UNIFIED_EVENTS, Column, Table
from justai_assets.lake import store
from justai_assets.lake.store import Lake
from justai_assets_tests.lake.week import FIRST, WEEK, events, live, parts, replace, stored
from justai_assets_tests.world import World


def race(writers: list[Callable[[], None]]) -> list[BaseException]:
    """Run writers at once; what they raised."""
    barrier = threading.Barrier(len(writers))
    errors: list[BaseException] = []

    def run(writer: Callable[[], None]) -> None:
        barrier.wait()
        try:
            writer()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("exists", [False, True])
def test_writers_of_one_day_leave_exactly_one_writers_rows(exists: bool, lake: Lake) -> None:
    if exists:
        replace(lake, WEEK, events(FIRST, "old"))
    names = [f"writer {number}" for number in range(4)]
    errors = race([lambda name=name: replace(lake, Days(FIRST, FIRST), events(FIRST, *[name] * 5)) for name in names])
    assert not errors
    rows = stored(lake)
    assert len(rows) == 5
    assert len(set(rows)) == 1
    assert live(lake) <= parts(lake)


@pytest.mark.parametrize("exists", [False, True])
def test_writers_of_different_days_all_keep_their_rows(exists: bool, lake: Lake) -> None:
    if exists:
        replace(lake, WEEK, *(events(day, "old") for day in WEEK))
    days = list(WEEK)[:5]
    errors = race([lambda day=day: replace(lake, Days(day, day), events(day, "new")) for day in days])
    assert not errors
    expected = [(day, "new") for day in days] + ([(day, "old") for day in list(WEEK)[5:]] if exists else [])
    assert stored(lake) == sorted(expected)


def test_a_writer_that_always_meets_another_gives_up_as_transient_and_leaves_no_file(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake.exceptions import CommitFailedError

    replace(lake, WEEK, events(FIRST, "old"))
    before = parts(lake)

    def conflict(*_, **__):
        raise CommitFailedError("another")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", conflict)
    monkeypatch.setattr(store, "COMMIT_ATTEMPTS", 2)
    with pytest.raises(JustAIError, match=r"met another writer") as caught:
        replace(lake, WEEK, events(FIRST, "new"))
    assert caught.value.transient
    monkeypatch.undo()
    assert (stored(lake), parts(lake)) == ([(FIRST, "old")], before)


def widened(*columns: Column) -> Table:
    return Table("unified_events", (*UNIFIED_EVENTS.columns, *columns), UNIFIED_EVENTS.doc)


def test_a_column_added_to_the_contract_is_null_in_old_days_and_written_in_new_ones(any_world: World) -> None:
    lake = any_world.lake
    replace(lake, WEEK, events(FIRST, "old"))
    wider = widened(Column("copy_id", pl.String(), "The copy."))
    assert lake.scan("acme", wider).collect()["copy_id"].to_list() == [None]
    second = FIRST + timedelta(days=1)
    replace(lake, Days(second, second), events(second, "new").with_columns(copy_id=pl.lit("c")), table=wider)
    assert lake.scan("acme", wider).sort("event_date").collect()["copy_id"].to_list() == [None, "c"]
    assert lake.scan("acme", UNIFIED_EVENTS).collect_schema() == UNIFIED_EVENTS.schema


def test_writers_that_add_the_column_at_once_all_keep_their_rows(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "old"))
    wider = widened(Column("copy_id", pl.String(), "The copy."))
    days = list(WEEK)[1:4]
    errors = race(
        [
            lambda day=day: replace(
                lake, Days(day, day), events(day, "new").with_columns(copy_id=pl.lit("c")), table=wider
            )
            for day in days
        ]
    )
    assert not errors
    assert [name for _, name in stored(lake)] == ["old", "new", "new", "new"]


def test_a_changed_type_of_the_contract_is_refused_before_anything_is_written(lake: Lake) -> None:
    replace(lake, WEEK, events(FIRST, "old"))
    columns = tuple(column for column in UNIFIED_EVENTS.columns if column.name != "campaign_id")
    changed = Table("unified_events", (*columns, Column("campaign_id", pl.Int64(), "A number.")), "Changed.")
    before = parts(lake)
    with pytest.raises(ContractError, match=r"type of campaign_id is not the contract's.*new lake root"):
        replace(lake, WEEK, events(FIRST, "new").with_columns(pl.col("campaign_id").cast(pl.Int64)), table=changed)
    assert (stored(lake), parts(lake)) == ([(FIRST, "old")], before)
