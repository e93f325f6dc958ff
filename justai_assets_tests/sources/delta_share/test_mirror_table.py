from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.sources.delta_share.mirror_table import days_written, lake_version, mirrored_days, mirrored_reports
from justai_assets.testing.share_server.shared_tables import SharedTable
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


def test_held_days_are_read_from_the_mirror_itself(door: Door) -> None:
    assert mirrored_days(door.lake, "acme") == frozenset()
    door.run()
    assert mirrored_days(door.lake, "acme") == {D1, D2, D3}


def test_a_day_that_was_left_alone_is_reported_as_it_was_written(door: Door) -> None:
    (step,) = door.run()
    later = D3 + timedelta(days=1)
    reports = mirrored_reports(door.lake, "acme", Days(D1, later))
    assert [(one.day, one.rows, one.bytes) for one in reports[:3]] == [
        (one.day, one.rows, one.bytes) for one in step.reports
    ]
    assert reports[0].records("received") == reports[0].records("accepted") == 5
    assert (reports[3].day, reports[3].rows, reports[3].fates) == (later, 0, ())


def test_a_version_names_the_days_it_wrote_and_upkeep_names_none(door: Door) -> None:
    assert lake_version(door.lake, "acme") is None
    door.run()
    first = lake_version(door.lake, "acme")
    assert first is not None
    assert days_written(door.lake, "acme", first - 1, first) == {D1, D2, D3}
    replace_day(door.source, D2, events(D2, 9))
    door.run()
    table = door.lake.open("acme", DELTA_SHARE)
    assert table is not None
    table.optimize.compact()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    last = lake_version(door.lake, "acme")
    assert last is not None
    assert days_written(door.lake, "acme", first, last) == {D2}
    assert days_written(door.lake, "acme", last, last) == frozenset()


def test_a_log_that_is_not_there_or_another_tables_tells_nothing(door: Door) -> None:
    door.run()
    assert days_written(door.lake, "acme", 0, 9) is None
    assert days_written(door.lake, "acme", 7, 1) is None


def test_a_version_that_changed_no_day_writes_nothing(door: Door) -> None:
    door.run()
    version = version_of(door)
    DeltaTable(door.source).alter.set_table_properties({"delta.logRetentionDuration": "interval 60 days"})
    (step,) = door.run()
    assert (step.reports, step.state.version) == ((), 3)
    assert version_of(door) == version
    assert door.run() == []


def version_of(door: Door) -> int:
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
    version = version_of(door)
    rewrite(door.source)
    (step,) = door.run(recheck=True)
    assert (step.reports, version_of(door)) == ((), version)
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
