from __future__ import annotations

from datetime import timedelta

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.mirror_table import mirrored_days, mirrored_reports
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Door


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
