"""The whole examination of an org, door by door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.org_warnings import doubts
from justai_assets.orgs.secrets import SecretError, references
from justai_assets.quality.doctor.attribution_finding import examine_attributed
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.doctor.intake_findings import examine_day
from justai_assets.quality.doctor.landing_findings import examine_landed
from justai_assets.quality.doctor.name_findings import examine_named
from justai_assets.quality.doctor.repeated_events import examine_twice
from justai_assets.quality.doctor.share_findings import examine_share
from justai_assets.sources.registry import lands
from justai_assets.storage import Root


def examine(landing: Root, lake: Lake, org: Org, now: datetime) -> Iterator[Finding]:
    """Every finding about an org, as it is made. Reads landing zone, lake and share; writes nothing.

    Of each door two days are taken in: the last landed one that is over, and today's, so far as it has come.
    """
    unset = []
    for key, reference in references(org).items():
        try:
            org.secret(reference)
        except SecretError as error:
            unset.append(key)
            yield Finding(org.slug, "secrets", "problem", f"{key}: {error.args[0]}", error.mend)
    for doubt in doubts(org):
        yield Finding(org.slug, "org file", "warning", *doubt.split("; ", 1))
    landed = {}
    for door in org.sources.present():
        if not lands(door):
            yield from examine_share(org, now)
            continue
        if door in org.closed_sources:
            said = "the HTTP door refuses every request: the org file names no key for it"
            mend = f"name the key under sources.{door}, unless others write its landing folder"
            yield Finding(door, "credential", "warning", said, mend)
        findings, landed[door] = examine_landed(landing, org, door, now)
        yield from findings
        if "pseudonym_salt" not in unset:
            for day in _days_to_take(landed[door], now.date()):
                yield from examine_day(landing, org, door, day, now)
    if "pseudonym_salt" not in unset:
        yield from examine_twice(landing, org, landed)
    yield from examine_attributed(lake, org, now)
    yield from examine_named(lake, org)


def _days_to_take(landed: Iterable[date], today: date) -> list[date]:
    """The last day that is over, and today or tomorrow, where a clock runs ahead."""
    over = [day for day in landed if day < today]
    begun = [day for day in landed if today <= day <= today + timedelta(days=1)]
    return [max(days) for days in (over, begun) if days]
