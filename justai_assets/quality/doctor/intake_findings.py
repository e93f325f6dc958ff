"""A day of a door, taken in as the assets take it in: contract, event names, identity, clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from justai_assets.attribution.engine.linked_keys import KINDS, Identity
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import CLICKS, ENGAGEMENT, MOST_LINKED, OPENS
from justai_assets.contract.foreign_names import is_personal_column
from justai_assets.contract.reasons import CONNECTION_TEST, REJECTIONS
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS, Table
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding, Level
from justai_assets.sources.intake import Intake, open_day
from justai_assets.storage import Root

TABLES: Final[dict[str, Table]] = {
    "engagement": ESP_EVENTS,
    "custom_events": CUSTOM_EVENTS,
    "unified_events": UNIFIED_EVENTS,
}
FEW: Final = 0.01
MANY_WITHOUT_IDENTITY: Final = 0.05
MOST: Final = 0.5
CLOCK: Final = timedelta(minutes=5)
NAMES_SHOWN: Final = 8
SUPERSEDED: Final = "not_committed"
"""Files of an earlier export: what they lack is said of the folder (`landed`), not of the day's records."""


def examine_day(root: Root, org: Org, door: str, day: date, now: datetime, *, is_sample: bool = False) -> list[Finding]:
    """Take one landed day in and look at what it came to. Nothing is written but a scratch folder.

    A sample, and a day that is not over, are not expected to hold every event name.
    """
    content = org.sources.content(door)
    is_over = day < now.date()
    try:
        with open_day(root, org, door, day, declared(org, TABLES[content])) as intake:
            findings = [
                _contract(org, door, day, intake, is_sample=is_sample),
                *_extra(door, intake),
                *_placeholders(door, day, intake),
            ]
            found = examine_rows(org, door, intake.accepted, now, is_whole=is_over and not is_sample)
    except JustAIError as error:
        return [Finding(door, "contract", "problem", str(error.args[0]), error.mend or "see the message")]
    if not is_over and not is_sample:
        found = [replace(one, message=f"{day}, so far: {one.message}") for one in found]
    return [*findings, *found]


def examine_rows(org: Org, door: str, rows: pl.LazyFrame, now: datetime, *, is_whole: bool = True) -> list[Finding]:
    """Event names, identity and clocks of typed rows; names are not missed in what is not whole."""
    columns = rows.collect_schema().names()
    names = dict(
        rows.group_by("event_name").len().sort("len", "event_name", descending=[True, False]).collect().iter_rows()
    )
    total = sum(names.values())
    if not total:
        return []
    findings = [_names(org, door, names) if is_whole else Finding(door, "event names", "ok", _shown(names))]
    if "email_key" in columns:
        nobody = (
            rows.filter(pl.col("email_key").is_null() & pl.col("user_key").is_null()).select(pl.len()).collect().item()
        )
        findings.append(_identity(org, door, nobody, total))
        findings += _shared(door, rows)
    findings.append(_clocks(door, rows, columns, total, now))
    return findings


def _contract(org: Org, door: str, day: date, intake: Intake, *, is_sample: bool) -> Finding:
    reasons = dict(intake.rejected.group_by("reason").agg(pl.col("records").sum()).sort("reason").collect().iter_rows())
    superseded = reasons.pop(SUPERSEDED, 0)
    tests = reasons.pop(CONNECTION_TEST, 0)
    received, refused = intake.received - superseded, sum(reasons.values())
    message = f"{day}: {received:,} records, {refused:,} refused, {intake.duplicates:,} delivered again"
    if superseded:
        message += f"; {superseded:,} more of files that the writer's list does not name are not read"
    if tests:
        message += f"; {tests:,} of them connection tests (pings), which are no events and are set aside"
    if not refused:
        return Finding(door, "contract", "ok", message)
    level: Level = "problem" if refused > FEW * max(received, 1) else "warning"
    worst = sorted(reasons, key=lambda reason: -reasons[reason])
    shown = ", ".join(f"{_at_fault(reason, intake)} {reasons[reason]:,}" for reason in worst)
    mend = f"{_at_fault(worst[0], intake)}: {REJECTIONS[worst[0]]}"
    if is_sample:
        mend += f" What the door takes: justai connect {door} --org {org.slug}"
    else:
        mend += f" See {org.slug}/quarantine for where each lies"
    return Finding(door, "contract", level, f"{message} ({shown})", mend)


def _at_fault(reason: str, intake: Intake) -> str:
    columns = intake.columns.get(reason)
    return f"{reason} ({', '.join(columns)})" if columns else reason


def _extra(door: str, intake: Intake) -> list[Finding]:
    """Columns beyond the contract; a finding of their own, whatever became of the records."""
    personal = [name for name in intake.extra_columns if is_personal_column(name)]
    others = [name for name in intake.extra_columns if name not in personal]
    findings = []
    if personal:
        said = f"personal data by its name: {', '.join(personal)}; it is not read, but it was sent"
        findings.append(
            Finding(door, "columns", "problem", said, "leave it out of the export, and delete files that have it")
        )
    if others:
        said = f"columns beyond the contract are not read: {', '.join(others)}"
        how = f"declare them: sources.{door}.extra_columns"
        findings.append(Finding(door, "columns", "warning", said, f"leave them out of the export, or {how}"))
    return findings


def _placeholders(door: str, day: date, intake: Intake) -> list[Finding]:
    findings = []
    for name, (events, people) in intake.placeholders.items():
        said = f"{day}: {events:,} events have a placeholder (null, undefined, 0, …) as {name}; it names nobody"
        said += f", and {people:,} people are named by another id of these events"
        findings.append(Finding(door, "placeholders", "warning", said, "leave the field out where the id is not known"))
    return findings


def _names(org: Org, door: str, names: dict[str, int]) -> Finding:
    content = org.sources.content(door)
    shown = _shown(names)
    if content == "custom_events":
        engagement = sorted(names.keys() & ENGAGEMENT)
        if engagement:
            said = f"{', '.join(engagement)} among custom events; {org.engagement} brings them too"
            return Finding(door, "event names", "problem", said, "send custom events alone through this door")
        wanted = {template.key_metric for template in org.templates if template.key_metric}
        others = len(org.custom) > 1
        missing = sorted(wanted - names.keys())
        if missing and not others:
            said = f"{shown}; no {', '.join(missing)}, which templates are measured by"
            return Finding(door, "event names", "warning", said, "send these events, or mend key_metric")
        return Finding(door, "event names", "ok", shown)
    if not names.keys() & set(org.attribution.send_events):
        said = f"{shown}; none of {', '.join(org.attribution.send_events)}: nothing can be attributed"
        return Finding(door, "event names", "problem", said, "send these events too, or mend attribution.send_events")
    lacking = [what for what, group in (("opens", OPENS), ("clicks", CLICKS)) if not names.keys() & group]
    if lacking:
        said = f"{shown}; no {' and no '.join(lacking)}"
        return Finding(door, "event names", "warning", said, "choose these events in the sender's settings too")
    return Finding(door, "event names", "ok", shown)


def _shown(names: dict[str, int]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(f"{name} {count:,}" for name, count in list(names.items())[:NAMES_SHOWN])
    return shown + (f" and {more} more" if more > 0 else "")


def _identity(org: Org, door: str, nobody: int, total: int) -> Finding:
    message = f"{total - nobody:,} of {total:,} events name a person ({1 - nobody / total:.1%})"
    if nobody <= MANY_WITHOUT_IDENTITY * total:
        return Finding(door, "identity", "ok", message)
    level: Level = "problem" if nobody > MOST * total else "warning"
    mend = f"send an email or a user id with each event (justai connect {door} --org {org.slug})"
    return Finding(door, "identity", level, f"{message}; the others cannot be attributed", mend)


def _shared(door: str, rows: pl.LazyFrame) -> list[Finding]:
    links = rows.filter(pl.col("email_key").is_not_null() & pl.col("user_key").is_not_null())
    findings = []
    for one in Identity.of(links, seed=1).shared:
        events = rows.select(one.is_one.sum()).collect(engine="streaming").item()
        said = (
            f"{len(one.keys):,} ids ({KINDS[one.column]}) are shared by {one.people:,} people, in {events:,} events; "
        )
        said += f"an id that more than {MOST_LINKED} share names nobody"
        mend = "see which id it is (a default, a shared device, a test account), and leave it out of the events"
        findings.append(Finding(door, "shared ids", "warning", said, mend))
    return findings


def _clocks(door: str, rows: pl.LazyFrame, columns: list[str], total: int, now: datetime) -> Finding:
    ahead = pl.col("event_timestamp") > now + CLOCK
    if "received_at" in columns:
        ahead = ahead | (pl.col("event_timestamp") > pl.col("received_at") + CLOCK).fill_null(value=False)
    early = rows.filter(ahead).select(pl.len()).collect().item()
    if early:
        level: Level = "problem" if early > FEW * total else "warning"
        message = f"{early:,} of {total:,} events happen more than five minutes after they were received"
        return Finding(door, "clocks", level, message, "mend the sender's clock, or its time zone: times are UTC")
    return Finding(door, "clocks", "ok", "no event is ahead of its receipt")
