"""The state of all doors: read from landing and lake, shown as a table or as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from justai_assets.contract.days import Days, spans
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.foreign_names import safe_key
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.outdated_days import outdated_days
from justai_assets.lake.stamp import NO_SALT, fingerprint
from justai_assets.lake.store import Lake
from justai_assets.landing.listing import stray_note
from justai_assets.landing.refiled_records import Undated
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.secrets import SecretError
from justai_assets.quality.punctuality import DoorStatus, door_status, share_status
from justai_assets.settings import Settings
from justai_assets.sources.lineage import org_tables, table_of
from justai_assets.sources.registry import is_collected, lands
from justai_assets.storage import Root

LISTINGS_AT_ONCE = 16

UNDATED_BYTES = 1 << 20
"""Bytes of undated objects that are read for one door: some ten thousand records."""

Failed = Mapping[str, Mapping[str, Sequence[date]]]
"""Slug → table → days whose last attempt failed."""


Outdated = Mapping[str, Mapping[date, tuple[str, ...]]]
"""Table → day → what it was built by that is not today's: code, rule, salt; see `outdated_days`."""


@dataclass(frozen=True)
class Status:
    """Every door that could be looked at, by org why others could not, and by org which days are outdated."""

    doors: tuple[DoorStatus, ...]
    errors: dict[str, JustAIError]
    outdated: Mapping[str, Outdated] = field(default_factory=dict)


def read_status(settings: Settings, orgs: Sequence[Org], *, now: datetime, days_back: int) -> Status:
    """Look at the last days of every door of every org; one org's trouble does not hide another."""
    landing, lake = Root.parse(settings.landing), Lake(Root.parse(settings.lake))
    today = now.date()
    days = Days(today - timedelta(days=days_back - 1), today)

    def of(org: Org) -> tuple[list[DoorStatus], Outdated, JustAIError | None]:
        try:
            built = BuiltDays.of_tables(lake, org.slug, org_tables(org))
            doors = _with_early(org, landing, org_doors(org, landing, lake, days, built))
            return doors, org_outdated(org, lake, built), None
        except JustAIError as error:
            return [], {}, error

    with ThreadPoolExecutor(LISTINGS_AT_ONCE) as pool:
        found = list(pool.map(of, orgs))
    doors = tuple(door for some, *_ in found for door in some)
    by_org = dict(zip((org.slug for org in orgs), found, strict=True))
    errors = {slug: error for slug, (*_, error) in by_org.items() if error is not None}
    return Status(doors, errors, {slug: outdated for slug, (_, outdated, _) in by_org.items() if outdated})


def show_status(status: Status, failed: Failed | None, now: datetime, console: Console) -> None:
    """Print one line a door, and below it the failed days."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("org", "door", "last file (UTC)", "lag", "last day", "built to", "behind"):
        table.add_column(name, no_wrap=True, justify="right" if name == "behind" else "left")
    for one in status.doors:
        table.add_row(
            one.slug,
            one.door,
            f"{one.last_file:%Y-%m-%d %H:%M}" if one.last_file else "none",
            _span(one.lag(now)),
            str(one.last_day or "none"),
            str(one.complete or "none"),
            f"{len(one.behind)} days" if one.behind else "",
        )
    console.print(table)
    for one in status.doors:
        if one.strays:
            console.print(f"{one.slug}/{one.door}: {stray_note(one.strays)}", markup=False, soft_wrap=True)
    for one in status.doors:
        if one.early:
            records, first, last = sum(one.early.values()), min(one.early), max(one.early)
            when = f"on {first}" if first == last else f"from {first} to {last}"
            said = f"{one.slug}/{one.door}: {records:,} records of events {when}, before start_date, are in no table"
            console.print(said, markup=False, soft_wrap=True)
        if one.undated_unread:
            said = f"{one.slug}/{one.door}: {one.undated_unread:,} undated objects are not looked into; justai doctor"
            console.print(f"{said} --org {one.slug} reads all", markup=False, soft_wrap=True)
    for slug, first in _first_early(status).items():
        console.print(f"  move start_date of {slug} to {first} or earlier", markup=False, soft_wrap=True)
    for slug, tables in status.outdated.items():
        for name, by_day in tables.items():
            why = ", ".join(sorted({one for what in by_day.values() for one in what}))
            console.print(f"outdated: {slug}/{name}: {spans(by_day)} ({why})", markup=False, soft_wrap=True)
        first, last = min(map(min, tables.values())), max(map(max, tables.values()))
        console.print(f"  rebuild: justai backfill --org {slug} --from {first} --to {last} --only-outdated")
    if failed is None:
        console.print("failed days: unknown; set DAGSTER_HOME")
        return
    lines = [
        f"failed: {slug}/{name}: {spans(days)}"
        for slug, tables in failed.items()
        for name, days in tables.items()
        if days
    ]
    for line in lines or ["failed days: none"]:
        console.print(line, markup=False, soft_wrap=True)


def status_lines(status: Status, failed: Failed | None, now: datetime) -> Iterator[str]:
    """One JSON object a door: org, door, last_file, lag_seconds, last_day, complete, behind, strays, before_start,
    undated_unread, failed, outdated.

    `strays` is what lies in no day's folder; `before_start` counts webhook records of events before start_date by the
    day of the event, `undated_unread` the objects that were not looked into; a `failed` of null is unknown; `outdated`
    is of the whole org.
    """
    for one in status.doors:
        lag = one.lag(now)
        failures = None if failed is None else failed.get(one.slug, {})
        yield json.dumps(
            {
                "org": one.slug,
                "door": one.door,
                "last_file": one.last_file.isoformat() if one.last_file else None,
                "lag_seconds": int(lag.total_seconds()) if lag is not None else None,
                "last_day": str(one.last_day) if one.last_day else None,
                "complete": str(one.complete) if one.complete else None,
                "behind": [str(day) for day in one.behind],
                "strays": [safe_key(key) for key in one.strays],
                "before_start": {str(day): records for day, records in sorted(one.early.items())},
                "undated_unread": one.undated_unread,
                "failed": None
                if failures is None
                else {name: [str(day) for day in days] for name, days in failures.items() if days},
                "outdated": {
                    name: {str(day): what for day, what in by_day.items()}
                    for name, by_day in status.outdated.get(one.slug, {}).items()
                },
            }
        )


def org_doors(org: Org, landing: Root, lake: Lake, days: Days, built: Mapping[str, BuiltDays]) -> Iterator[DoorStatus]:
    """Every door of an org over a range of days, its share included. An org that has not begun has none."""
    if days.last < org.start_date:
        return
    mine = Days(max(days.first, org.start_date), days.last)
    for door in org.sources.present():
        table = table_of(org, door)
        at = None if table is None else {day: at for day, at in built[table.name].at.items() if org.start_date <= day}
        if lands(door):
            yield door_status(landing, org.slug, door, mine, at)
        elif at is not None:
            yield share_status(lake, org.slug, mine, at)


def org_outdated(org: Org, lake: Lake, built: Mapping[str, BuiltDays]) -> Outdated:
    """Tables of an org with days that were built by other code, another rule or another salt than now.

    Where the salt cannot be had from here, it is not judged.
    """
    try:
        salt = fingerprint(org)
    except SecretError:
        salt = NO_SALT
    found = {
        table.name: outdated_days(org, lake, table, salt=salt, built=built[table.name]) for table in org_tables(org)
    }
    return {name: by_day for name, by_day in found.items() if by_day}


def _with_early(org: Org, landing: Root, doors: Iterator[DoorStatus]) -> list[DoorStatus]:
    """The doors with what they sent before the org's start; a door of an org that has not begun is here if it sent."""
    found = {one.door: one for one in doors}
    for door in (one for one in org.sources.present() if is_collected(one)):
        undated = Undated.of(landing, org.slug, door, org.start_date, most_bytes=UNDATED_BYTES)
        if undated.early or undated.unread:
            one = found.get(door) or DoorStatus(org.slug, door, None, None, None, ())
            found[door] = replace(one, early=undated.early, undated_unread=undated.unread)
    return list(found.values())


def _first_early(status: Status) -> dict[str, date]:
    """Slug → the first day of events before its start."""
    days = [(one.slug, min(one.early)) for one in status.doors if one.early]
    return {slug: min(day for other, day in days if other == slug) for slug, _ in days}


def _span(lag: timedelta | None) -> str:
    if lag is None:
        return ""
    minutes = int(lag.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // (24 * 60)} d"
