"""Days of copy_daily, replaced from message_outcomes, with what moved of closed cohorts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COPY_DAILY
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.metrics.experiments.copy_daily import count_day
from justai_assets.metrics.restatements import UPSTREAM_NOTE, Given, record
from justai_assets.orgs.model import Org
from justai_assets.storage import Root


def build_copy_daily(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
    now: datetime | None = None,
    landing: Root | None = None,
) -> list[DayReport]:
    """Replace send days of copy_daily in one commit, and record in cohort_restatements what moved of closed ones.

    Args:
        org: the org.
        lake: the lake.
        days: send days.
        note: put into the commit's metadata.
        on_day: called after each day is written, before the commit.
        now: the current time, UTC; None records nothing.
        landing: the landing root, to name the objects that moved a number.
    """
    reports: list[DayReport] = []
    changes: dict[date, pl.DataFrame] = {}
    given = Given.read(org, lake, days, COPY_DAILY)
    note = {**(note or {}), UPSTREAM_NOTE: given.upstream_note}
    with lake.replacing(org.slug, COPY_DAILY, days, note=note, stamp=stamp_of(org, COPY_DAILY)) as writer:
        for day in days:
            rows = count_day(org, lake, day)
            writer.write(day, rows)
            marks: tuple[str, ...] = ()
            if now is not None and (changed := given.moved(day, rows)).height:
                changes[day] = changed
                marks = (
                    f"{changed.height} numbers of this closed cohort moved since {given.at[day]:%Y-%m-%d %H:%M} UTC",
                )
            reports.append(DayReport(day, writer.rows(day), writer.bytes(day), (), marks))
            on_day(reports[-1])
        if now is not None and changes:
            # Before the numbers commit: should that fail, the next try replaces what was recorded here.
            record(org, lake, given, changes, now=now, landing=landing)
    return reports
