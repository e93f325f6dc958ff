"""What a run is asked for: some days, a list whatever the version says, an empty list for an answer."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.share_errors import EmptyShareError
from justai_assets_tests.sources.delta_share.shared import (
    D1,
    D2,
    D3,
    Mirrored,
    events,
    ordered,
    replace_day,
)


def test_rechecking_lists_the_files_though_the_version_stands_still(mirrored: Mirrored) -> None:
    mirrored.run()
    mirrored.asked()
    mirrored.run(recheck=True)
    assert mirrored.asked() == ["version", "query"]
    assert mirrored.written() == []


def test_an_empty_table_keeps_the_mirror_unless_it_is_accepted(mirrored: Mirrored) -> None:
    mirrored.run()
    DeltaTable(mirrored.source).delete()
    with pytest.raises(EmptyShareError, match="3 days of it were mirrored"):
        mirrored.run()
    assert mirrored.rows().height == 15
    (step,) = mirrored.run(accept_empty=True)
    assert step.vanished == (D1, D2, D3)
    assert mirrored.rows().is_empty()


def test_days_that_are_asked_for_are_replaced_changed_or_not_and_no_others(mirrored: Mirrored) -> None:
    mirrored.run()
    replace_day(mirrored.source, D1, events(D1, 9))
    replace_day(mirrored.source, D3, events(D3, 7))
    (step,) = mirrored.run(days=Days(D2, D3))
    assert mirrored.written() == [D2, D3]
    assert step.state.version == 2, "the first day is still to come"
    assert mirrored.rows().height == 5 + 5 + 7
    mirrored.run()
    assert mirrored.written() == [D1]
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1, 9), events(D2), events(D3, 7)])))


def test_an_asked_day_that_the_share_does_not_have_is_accounted_for_as_empty(mirrored: Mirrored) -> None:
    later = D3 + timedelta(days=1)
    (step,) = mirrored.run(days=Days(D3, later))
    assert [(report.day, report.rows) for report in step.reports] == [(D3, 5), (later, 0)]
    assert step.vanished == ()
    assert mirrored.fates()[later, "received", None] == 0
    mirrored.run()
    assert mirrored.rows().height == 15


def test_asking_for_days_of_a_table_that_lost_everything_keeps_them(mirrored: Mirrored) -> None:
    mirrored.run()
    DeltaTable(mirrored.source).delete()
    with pytest.raises(EmptyShareError):
        mirrored.run(days=Days(D1, D2))
    assert mirrored.rows().height == 15


def test_rows_that_no_run_reported_are_never_passed_over_even_after_a_run_for_other_days(mirrored: Mirrored) -> None:
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    before = mirrored.state
    mirrored.run()
    mirrored.state = before  # the run was killed after its commit
    mirrored.run(days=Days(D3, D3))
    mirrored.run()
    assert mirrored.written() == [D2]
