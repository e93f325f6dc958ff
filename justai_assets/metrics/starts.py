"""Since when each template of an org is judged: a fixed day, whatever the numbers since then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTION_METRICS
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import Org


def starts_of(org: Org, lake: Lake, last: date) -> dict[str, date]:
    """The first send day of every template that has a control: no later than the day its test began.

    It is `experiment_start` of the org file, else the first day by which both arms had sends (read from
    attribution_metrics), else, where that table was never written, the org's start. A template whose arms have not
    both sent yet is not in the answer. New template or campaign ids are a new test, and begin with their own first day.

    Args:
        org: the org.
        lake: the lake.
        last: last day looked at.
    """
    if last < org.start_date:
        return {}
    compared = [one for one in org.templates if one.control is not None]
    if lake.open(org.slug, ATTRIBUTION_METRICS) is None:
        return {one.id: one.experiment_start or org.start_date for one in compared}
    ids = ("template_id", "campaign_id")
    sent = (
        lake.scan(org.slug, ATTRIBUTION_METRICS, Days(org.start_date, last))
        .filter(pl.col("sends") > 0)
        .select(*ids, "event_date")
        .unique()
        .collect()
    )
    found = {}
    for one in compared:
        assert one.control is not None
        since = sent.filter(pl.col("event_date") >= (one.experiment_start or org.start_date))
        firsts = [
            since.filter(pl.col("template_id") == arm.template_id, pl.col("campaign_id") == arm.campaign_id)[
                "event_date"
            ].min()
            for arm in (one.treatment, one.control)
        ]
        begun = [day for day in firsts if isinstance(day, date)]
        if len(begun) == len(firsts):
            found[one.id] = max(begun)
    return found


def shown_days(days: Days, starts: Mapping[str, date]) -> Days:
    """The days a report's funnels show: those given, and earlier ones on which a test began, at most twice as many.

    A funnel that leaves out just the first few days of a test would give their few clicks away: the comparison, which
    has them, less the funnel.
    """
    reach = days.first - timedelta(days=len(days))
    return Days(min([days.first, *(day for day in starts.values() if day >= reach)]), days.last)
