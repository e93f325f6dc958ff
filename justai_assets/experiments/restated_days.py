"""Days of counts replaced in one commit, with what moved of the numbers that were given before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.experiments.restatements import UPSTREAM_NOTE, Given, record
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.storage import Root


def replace_days(
    org: Org,
    lake: Lake,
    table: Table,
    days: Days,
    count: Callable[[date], pl.DataFrame],
    *,
    what: str,
    note: dict[str, str] | None,
    on_day: Callable[[DayReport], None],
    now: datetime | None,
    landing: Root | None,
) -> list[DayReport]:
    """Count days of a table anew, and record what moved.

    Args:
        org: the org.
        lake: the lake.
        table: attribution_metrics or copy_daily.
        days: the days, replaced in one commit.
        count: the rows of a day.
        what: what the numbers of a day are about, as in "3 numbers of this day moved".
        note: put into the commit's metadata, beside the versions of the tables that the numbers come from.
        on_day: called after each day is written, before the commit.
        now: the current time, UTC; None records nothing.
        landing: the landing root, to name the objects that moved a number where rows do not name their file.
    """
    reports: list[DayReport] = []
    moved: dict[date, pl.DataFrame] = {}
    given = Given.read(org, lake, days, table)
    note = {**(note or {}), UPSTREAM_NOTE: given.upstream_note}
    with lake.replacing(org.slug, table, days, note=note, stamp=stamp_of(org, table)) as writer:
        for day in days:
            rows = count(day)
            writer.write(day, rows)
            marks: tuple[str, ...] = ()
            if now is not None and (changed := given.moved(day, rows)).height:
                moved[day] = changed
                marks = (f"{changed.height} numbers of this {what} moved since {given.at[day]:%Y-%m-%d %H:%M} UTC",)
            reports.append(DayReport(day, writer.rows(day), writer.bytes(day), (), marks))
            on_day(reports[-1])
        if now is not None and moved:
            # Before the numbers commit: should that fail, the next try replaces what was recorded here.
            record(org, lake, given, moved, now=now, landing=landing)
    return reports
