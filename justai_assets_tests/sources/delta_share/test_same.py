"""Days that come in other files, or with a version that moved: written only when their rows differ."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.testing.share_server.tables import SharedTable
from justai_assets_tests.sources.delta_share.shared import (
    D1,
    D2,
    D3,
    NAME,
    Door,
    events,
    ordered,
    replace_day,
    write,
)


def test_a_version_that_changed_no_day_writes_nothing(door: Door) -> None:
    door.run()
    version = lake_version(door)
    DeltaTable(door.source).alter.set_table_properties({"delta.logRetentionDuration": "interval 60 days"})
    (step,) = door.run()
    assert (step.reports, step.state.version) == ((), 3)
    assert lake_version(door) == version
    assert door.run() == []


def lake_version(door: Door) -> int:
    found = door.lake.open(door.slug, DELTA_SHARE)
    assert found is not None
    return found.version()


def rewrite(source: Path) -> None:
    """All rows again, in one new file a day and in another order."""
    frame = pl.read_delta(str(source)).sort("message_id", descending=True)
    write(source, frame, mode="overwrite")


def test_a_view_that_is_written_anew_with_one_changed_day_replaces_that_day(door: Door) -> None:
    door.server.offer(NAME, SharedTable(door.source, is_view=True))
    door.run()
    replace_day(door.source, D2, events(D2, 9))
    rewrite(door.source)
    (step,) = door.run()
    assert door.written() == [D2]
    assert step.state.version == 4
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D1), events(D2, 9), events(D3)])))
    assert door.run() == []


def test_a_compacted_table_writes_nothing(door: Door) -> None:
    write(door.source, events(D2, tag="more"))
    door.run()
    version = lake_version(door)
    rewrite(door.source)
    (step,) = door.run(recheck=True)
    assert (step.reports, lake_version(door)) == ((), version)
    door.asked()
    door.run(recheck=True)
    assert door.asked() == ["version", "query"], "the new files are known now"


def test_one_repeat_more_or_less_is_another_day(door: Door) -> None:
    door.run()
    for count in (2, 3):
        replace_day(door.source, D2, pl.concat([events(D2, 1)] * count))
        door.run()
        assert door.written() == [D2]
        assert door.rows().filter(pl.col("event_date") == D2).height == count


def test_a_day_with_refused_rows_is_written_again_because_they_point_at_their_file(door: Door) -> None:
    refused = events(D2, 2).with_columns(event_name=pl.lit(None, pl.String))
    replace_day(door.source, D2, pl.concat([events(D2), refused]))
    door.run()
    rewrite(door.source)
    door.run(recheck=True)
    assert door.written() == [D2]
    assert door.quarantine().height == 2
