from __future__ import annotations

from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.sources.delta_share.mirror_table import days_written, lake_version
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Door, events, replace_day


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
