from __future__ import annotations

import polars as pl
import pytest

from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.quality.small_files import SMALL_BYTES, small_files
from justai_assets.quality.table_log import read_log
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, rows, write


@pytest.mark.parametrize(("files", "is_sound"), [(0, True), (1, True), (4, True), (5, False), (9, False)])
def test_many_small_files_of_a_day_warn(lake: Lake, files: int, is_sound: bool) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 2)] * files})
    (verdict,) = small_files(ONE, read_log(lake, SLUG, UNIFIED_EVENTS))
    assert verdict.is_sound == is_sound
    assert verdict.numbers["files"] == files


@pytest.mark.parametrize(("average", "is_sound"), [(SMALL_BYTES, True), (SMALL_BYTES - 1, False)])
def test_many_large_files_are_no_burden(average: int, is_sound: bool) -> None:
    log = pl.DataFrame({"event_date": [DAY] * 8, "bytes": [average] * 8})
    assert small_files(ONE, log)[0].is_sound == is_sound
