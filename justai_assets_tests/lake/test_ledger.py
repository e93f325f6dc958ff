from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES
from justai_assets.lake.ledger import DayReport, Fate, fates_frame, read_fates, read_undated_fates, total
from justai_assets.lake.store import Lake
from justai_assets.storage import Root

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)


def put(lake: Lake, asset: str, day: date | None, *fates: Fate) -> None:
    days = None if day is None else Days(day, day)
    with lake.replacing("acme", FATES, days, partition={"asset": asset}) as writer:
        writer.write(day, fates_frame(asset, fates))


def test_fates_are_written_zeros_included_and_read_by_day_and_asset(tmp_path: Path) -> None:
    lake = Lake(Root.parse(str(tmp_path)))
    put(lake, "esp_events", DAY, Fate(DAY, "door", "received", 3), Fate(DAY, "door", "duplicate", 0))
    put(lake, "custom_events", DAY, Fate(DAY, "door", "received", 4))
    put(lake, "custom_events", None, Fate(None, "door", "quarantined", 5, "undated"))
    assert total(read_fates(lake, "acme", ONE), "received") == 7
    mine = read_fates(lake, "acme", ONE, "esp_events")
    assert mine.select("fate", "records").rows() == [("duplicate", 0), ("received", 3)]
    assert read_undated_fates(lake, "acme").select("asset", "fate", "reason", "records").rows() == [
        ("custom_events", "quarantined", "undated", 5)
    ]
    assert total(read_fates(lake, "nobody", ONE), "received") == 0


def test_a_report_adds_a_fate_over_its_doors() -> None:
    fates = (Fate(DAY, "a", "received", 3), Fate(DAY, "b", "received", 4), Fate(DAY, "b", "accepted", 1))
    report = DayReport(DAY, 1, 2, fates)
    assert (report.records("received"), report.records("duplicate")) == (7, 0)


def test_a_frame_of_no_fates_has_the_tables_columns() -> None:
    assert fates_frame("x", []).schema == FATES.schema
    assert isinstance(fates_frame("x", []), pl.DataFrame)
