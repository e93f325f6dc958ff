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
    Mirrored,
    events,
    ordered,
    replace_day,
    write,
)


def test_held_days_are_read_from_the_mirror_itself(mirrored: Mirrored) -> None:
    assert mirrored_days(mirrored.lake, "acme") == frozenset()
    mirrored.run()
    assert mirrored_days(mirrored.lake, "acme") == {D1, D2, D3}


def test_a_day_that_was_left_alone_is_reported_as_it_was_written(mirrored: Mirrored) -> None:
    (step,) = mirrored.run()
    later = D3 + timedelta(days=1)
    reports = mirrored_reports(mirrored.lake, "acme", Days(D1, later))
    assert [(one.day, one.rows, one.bytes) for one in reports[:3]] == [
        (one.day, one.rows, one.bytes) for one in step.reports
    ]
    assert reports[0].records("received") == reports[0].records("accepted") == 5
    assert (reports[3].day, reports[3].rows, reports[3].fates) == (later, 0, ())


def test_a_version_names_the_days_it_wrote_and_upkeep_names_none(mirrored: Mirrored) -> None:
    assert lake_version(mirrored.lake, "acme") is None
    mirrored.run()
    first = lake_version(mirrored.lake, "acme")
    assert first is not None
    assert days_written(mirrored.lake, "acme", first - 1, first) == {D1, D2, D3}
    replace_day(mirrored.source, D2, events(D2, 9))
    mirrored.run()
    table = mirrored.lake.open("acme", DELTA_SHARE)
    assert table is not None
    table.optimize.compact()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    last = lake_version(mirrored.lake, "acme")
    assert last is not None
    assert days_written(mirrored.lake, "acme", first, last) == {D2}
    assert days_written(mirrored.lake, "acme", last, last) == frozenset()


def test_a_log_that_is_not_there_or_another_tables_tells_nothing(mirrored: Mirrored) -> None:
    mirrored.run()
    assert days_written(mirrored.lake, "acme", 0, 9) is None
    assert days_written(mirrored.lake, "acme", 7, 1) is None


def test_a_version_that_changed_no_day_writes_nothing(mirrored: Mirrored) -> None:
    mirrored.run()
    version = version_of(mirrored)
    DeltaTable(mirrored.source).alter.set_table_properties({"delta.logRetentionDuration": "interval 60 days"})
    (step,) = mirrored.run()
    assert (step.reports, step.state.version) == ((), 3)
    assert version_of(mirrored) == version
    assert mirrored.run() == []


def version_of(mirrored: Mirrored) -> int:
    found = mirrored.lake.open(mirrored.slug, DELTA_SHARE)
    assert found is not None
    return found.version()


def rewrite(source: Path) -> None:
    """All rows again, in one new file a day and in another order."""
    frame = pl.read_delta(str(source)).sort("message_id", descending=True)
    write(source, frame, mode="overwrite")


def test_a_view_that_is_written_anew_with_one_changed_day_replaces_that_day(mirrored: Mirrored) -> None:
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    rewrite(mirrored.source)
    (step,) = mirrored.run()
    assert mirrored.written() == [D2]
    assert step.state.version == 4
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2, 9), events(D3)])))
    assert mirrored.run() == []


def test_a_compacted_table_writes_nothing(mirrored: Mirrored) -> None:
    write(mirrored.source, events(D2, tag="more"))
    mirrored.run()
    version = version_of(mirrored)
    rewrite(mirrored.source)
    (step,) = mirrored.run(recheck=True)
    assert (step.reports, version_of(mirrored)) == ((), version)
    mirrored.asked()
    mirrored.run(recheck=True)
    assert mirrored.asked() == ["version", "query"], "the new files are known now"


def test_one_repeat_more_or_less_is_another_day(mirrored: Mirrored) -> None:
    mirrored.run()
    for count in (2, 3):
        replace_day(mirrored.source, D2, pl.concat([events(D2, 1)] * count))
        mirrored.run()
        assert mirrored.written() == [D2]
        assert mirrored.rows().filter(pl.col("event_date") == D2).height == count


def test_a_day_with_refused_rows_is_written_again_because_they_point_at_their_file(mirrored: Mirrored) -> None:
    refused = events(D2, 2).with_columns(event_name=pl.lit(None, pl.String))
    replace_day(mirrored.source, D2, pl.concat([events(D2), refused]))
    mirrored.run()
    rewrite(mirrored.source)
    mirrored.run(recheck=True)
    assert mirrored.written() == [D2]
    assert mirrored.quarantine().height == 2
