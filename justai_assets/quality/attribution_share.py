"""The attribution share: how many custom events found their message, against what is usual."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets.lake.ledger import ATTRIBUTED, RECEIVED, read_fates
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.usual_band import DAYS_BACK, usual_band

FLOOR = 0.05
"""Five points either way are never remarkable."""

MIN_EVENTS = 50
"""A share of fewer events says nothing."""


def attribution_share(lake: Lake, slug: str, days: Days) -> list[Verdict]:
    """Per day: warn when the share of attributed custom events leaves the band of the 28 days before.

    A fall usually means that sends are missing or that a door changed how it names people; a jump, that unattributable
    events are. Days of fewer than fifty custom events are neither judged nor part of the band.
    """
    fates = read_fates(lake, slug, Days(days.first - timedelta(days=DAYS_BACK), days.last), ATTRIBUTED_EVENTS.name)
    received, attributed = _by_day(fates, RECEIVED), _by_day(fates, ATTRIBUTED)
    shares = {day: attributed.get(day, 0) / count for day, count in received.items() if count >= MIN_EVENTS}
    verdicts = []
    for day in days:
        count, matched = received.get(day, 0), attributed.get(day, 0)
        numbers: dict[str, int | float] = {"custom events": count, "attributed": matched}
        warnings: tuple[str, ...] = ()
        before = [shares[at] for back in range(1, DAYS_BACK + 1) if (at := day - timedelta(days=back)) in shares]
        band = usual_band(before, FLOOR)
        if count:
            numbers["share"] = round(matched / count, 4)
        if band is not None:
            low, high = max(band[0], 0.0), min(band[1], 1.0)
            numbers |= {"usual from": round(low, 4), "usual to": round(high, 4)}
            if day in shares and not low <= shares[day] <= high:
                warnings = (f"{shares[day]:.1%} attributed; usual is {low:.1%} to {high:.1%}",)
        verdicts.append(Verdict(day, numbers, warnings=warnings))
    return verdicts


def _by_day(fates: pl.DataFrame, fate: str) -> dict[date, int]:
    some = fates.filter(pl.col("fate") == fate).group_by("event_date").agg(pl.col("records").sum())
    return dict(some.iter_rows())
