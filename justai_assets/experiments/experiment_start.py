"""Since when each template of an org is judged: a fixed day, whatever the numbers since then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.experiments.arms import ARMS
from justai_assets.experiments.copy_daily import copy_counts
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org


def starts_of(org: Org, lake: Lake, last: date) -> dict[str, date]:
    """The first send day of every template that has a control: no later than the day its test began.

    It is the first day by which both arms had sends (read from copy_daily), not before `experiment_start` of the org
    file. A template whose arms have not both sent yet is not in the answer. New template or campaign ids are a new
    test, and begin with their own first day.

    Args:
        org: the org.
        lake: the lake.
        last: last day looked at.
    """
    compared = [one for one in org.templates if one.control is not None]
    if last < org.start_date or not compared:
        return {}
    sent = copy_counts(org, lake, Days(org.start_date, last)).filter(pl.col("messages") > 0)
    found: dict[str, date] = {}
    for one in compared:
        since = sent.filter(
            pl.col("template") == one.id, pl.col("send_date") >= (one.experiment_start or org.start_date)
        )
        firsts: list[date] = since.group_by("arm").agg(pl.col("send_date").min())["send_date"].to_list()
        if len(firsts) == len(ARMS):
            found[one.id] = max(firsts)
    return found


def shown_days(days: Days, starts: Mapping[str, date]) -> Days:
    """The days a report's funnels show: those given, and earlier ones on which a test began, at most twice as many.

    A funnel that leaves out just the first few days of a test would give their few clicks away: the comparison, which
    has them, less the funnel.
    """
    reach = days.first - timedelta(days=len(days))
    return Days(min([days.first, *(day for day in starts.values() if day >= reach)]), days.last)
