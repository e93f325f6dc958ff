"""The same events through two doors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import combinations

import polars as pl

from justai_assets.contract.tables import CUSTOM_EVENTS
from justai_assets.landing.listing import LandedDay
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding
from justai_assets.sources.intake import open_day
from justai_assets.sources.pseudonym_keys import plain_person
from justai_assets.storage import Root

SHARED = 0.2
_SAME = ("event_name", "second", "person")


def examine_twice(root: Root, org: Org, landed: Mapping[str, Mapping[date, LandedDay]]) -> list[Finding]:
    """Doors that nobody reads though files arrive, and pairs of custom doors that bring the same events.

    Two events are the same when name, person and second are; a fifth of the smaller door's events shared is no chance.
    """
    findings = []
    for door in org.unread_sources:
        if landed.get(door):
            said = f"files arrive, but neither engagement nor custom names {door}"
            mend = f"name it under custom, or stop the sender: what {org.engagement} brings must not come twice"
            findings.append(Finding(door, "read", "warning", said, mend))
    for one, other in combinations([door for door in org.custom if landed.get(door)], 2):
        common = landed[one].keys() & landed[other].keys()
        if not common:
            continue
        day = max(common)
        left, right = _people(root, org, one, day), _people(root, org, other, day)
        shared = len(left.join(right, on=_SAME, how="semi"))
        smaller = min(len(left), len(right))
        if smaller and shared > SHARED * smaller:
            said = f"{day}: {shared:,} of {smaller:,} events come through {other} as well"
            mend = "send each kind of event through one door, and take the other out of custom"
            findings.append(Finding(one, "twice", "problem", said, mend))
    return findings or [Finding(org.slug, "twice", "ok", "no two doors bring the same events")]


def _people(root: Root, org: Org, door: str, day: date) -> pl.DataFrame:
    second = pl.col("event_timestamp").dt.truncate("1s").alias("second")
    with open_day(root, org, door, day, CUSTOM_EVENTS) as intake:
        return intake.accepted.select("event_name", second, plain_person()).drop_nulls("person").unique().collect()
