"""What lies in the landing zone: can a door's folder be listed, when did the last file come, how do the files lie."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from statistics import median

from justai_assets.contract.errors import JustAIError
from justai_assets.landing.drop_commits import committed
from justai_assets.landing.listing import LandedDay, days_and_strays, list_day, list_days, named, stray_note
from justai_assets.landing.refiled_records import Undated
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.partition_skew import FACTOR
from justai_assets.quality.small_files import SEVERAL, SMALL_BYTES
from justai_assets.quality.stale_parts import GENERATION
from justai_assets.quality.usual_band import DAYS_BACK, MIN_DAYS
from justai_assets.sources.registry import is_collected, is_drop, source_named
from justai_assets.storage import Root

SILENT_AFTER = timedelta(days=2)
RECENT_DAYS = 7
SKEW_MIN_BYTES = 1 << 20


def examine_landed(root: Root, org: Org, door: str, now: datetime) -> tuple[list[Finding], dict[date, LandedDay]]:
    """List a door's folder for real, and look at its files; also the days found."""
    try:
        days = list_days(root, door, org.slug)
        _, strays = days_and_strays(root, door, org.slug)
        undated = list_day(root, door, org.slug, None)
    except (JustAIError, FileNotFoundError) as error:
        mend = "see that the landing root is right and that this process may list the prefix (s3:ListBucket)"
        return [Finding(door, "reachable", "problem", _said(error, root), mend)], {}
    links = [link.key for landed in (*days.values(), undated) for link in landed.links]
    days = {day: landed for day, landed in days.items() if landed.data}
    findings = [] if (strays or links) and not days else [_last_file(org, door, days, now)]
    if links:
        message = f"not read, because a link leads out of the org's folder: {named(links)}"
        mend = "copy the files to the folder, or mount them there"
        findings.append(Finding(door, "links", "problem", message, mend))
    if strays:
        mend = (
            "write each day to a folder event_date=2026-01-05: partition by a DATE, not by a timestamp, in lower case"
        )
        findings.append(Finding(door, "folders", "warning" if days else "problem", stray_note(strays), mend))
    findings += _undated(root, org, door, undated)
    outside = [day for day in days if day < org.start_date or day > now.date() + timedelta(days=1)]
    if outside:
        message = f"{len(outside)} days lie before {org.start_date} or after tomorrow, the first {outside[0]}"
        mend = "move start_date back, or mend the sender's clock; these days are not built"
        findings.append(Finding(door, "days", "warning", message, mend))
    if is_drop(door) and days:
        recent = [days[day] for day in sorted(days)[-RECENT_DAYS:]]
        findings += _parts(root, org, door, recent)
        findings.append(_small_files(door, recent))
        findings.append(_skew(door, days))
    return findings, days


def _undated(root: Root, org: Org, door: str, undated: LandedDay) -> list[Finding]:
    if not undated.data:
        return []
    if not is_collected(door):
        message = f"{len(undated.data)} files without a usable date lie in the default partition"
        mend = "see the quarantine's reasons; a warehouse writes them for rows whose event_timestamp is null"
        return [Finding(door, "undated", "warning", message, mend)]
    found = Undated.of(root, org.slug, door, org.start_date)
    findings = []
    if found.early:
        records, first = sum(found.early.values()), min(found.early)
        message = f"{records:,} records are of events before start_date, {org.start_date}, and are in no table"
        mend = f"set start_date: {first} in {org.slug}.yaml; the next run files them under their days"
        findings.append(Finding(door, "start_date", "problem", message, mend))
    if found.others:
        message = f"{found.others:,} records have no usable time"
        mend = "see the quarantine's reasons, and have the sender give each event its time"
        findings.append(Finding(door, "undated", "warning", message, mend))
    return findings


def _said(error: JustAIError | FileNotFoundError, root: Root) -> str:
    return str(error.args[0]) if isinstance(error, JustAIError) else f"{root.url} is not there"


def _last_file(org: Org, door: str, days: dict[date, LandedDay], now: datetime) -> Finding:
    mend = f"follow justai connect {door} --org {org.slug}"
    if not days:
        is_read = door == org.engagement or door in org.custom
        return Finding(door, "last file", "problem" if is_read else "warning", "nothing has landed", mend)
    newest = max(found.modified for landed in days.values() for found in landed.data)
    age = now - newest
    message = f"{len(days)} days, {min(days)} … {max(days)}; the last file came {_hours(age)} ago"
    if age > SILENT_AFTER:
        return Finding(door, "last file", "problem", message, f"ask the sender why it stopped; {mend}")
    return Finding(door, "last file", "ok", message)


def _parts(root: Root, org: Org, door: str, recent: list[LandedDay]) -> list[Finding]:
    findings = []
    for landed in recent:
        found = committed(root, door, org.slug, landed)
        if found.missing or found.unreadable:
            absent, lists = len(found.missing), len(found.unreadable)
            message = f"{landed.day}: {absent} files announced but absent, {lists} manifests that cannot be read"
            mend = "export the day again"
            findings.append(Finding(door, "stale parts", "problem", message, mend))
        if found.superseded:
            message = f"{landed.day}: {len(found.superseded)} files superseded by a later export; they are not read"
            findings.append(Finding(door, "stale parts", "ok", f"{message}, and will be vacuumed"))
        unnamed = len(found.stale) - len(found.superseded)
        if unnamed:
            message = f"{landed.day}: {unnamed} files that the writer's list does not name; they are not read"
            mend = f"delete them, and {_clean_export(org, door)}"
            findings.append(Finding(door, "stale parts", "warning", message, mend))
        times = [one.modified for one in landed.data]
        if not found.is_declared and max(times) - min(times) > GENERATION:
            message = (
                f"{landed.day}: parts written {_hours(max(times) - min(times))} apart, and no manifest says which "
                "count; those of an earlier run count twice"
            )
            mend = f"delete what is left of the earlier run, and {_clean_export(org, door)}"
            findings.append(Finding(door, "stale parts", "problem", message, mend))
    return findings or [Finding(door, "stale parts", "ok", f"none in the last {len(recent)} days")]


def _clean_export(org: Org, door: str) -> str:
    return f"export with {source_named(door).clean_export}: justai sql --dialect {door} --org {org.slug}"


def _small_files(door: str, recent: list[LandedDay]) -> Finding:
    small = [one for one in recent if len(one.data) >= SEVERAL and one.bytes < SMALL_BYTES * len(one.data)]
    if not small:
        return Finding(door, "small files", "ok", f"none of the last {len(recent)} days is in many small files")
    worst = max(small, key=lambda one: len(one.data))
    size = worst.bytes / len(worst.data) / (1 << 20)
    message = f"{worst.day}: {len(worst.data)} files of {size:.1f} MB on average"
    return Finding(door, "small files", "warning", message, "repartition before writing: 128 to 512 MB a file")


def _skew(door: str, days: dict[date, LandedDay]) -> Finding:
    found = []
    ordered = sorted(days)
    for index, day in enumerate(ordered):
        before = [days[one].bytes for one in ordered[max(0, index - DAYS_BACK) : index]]
        if len(before) >= MIN_DAYS:
            usual, size = median(before), days[day].bytes
            if max(usual, size) >= SKEW_MIN_BYTES and not usual / FACTOR <= size <= usual * FACTOR:
                found.append((day, size / usual))
    if not found:
        return Finding(door, "skew", "ok", "no day is far larger or smaller than those before it")
    day, times = found[-1]
    message = f"{len(found)} days are far from the usual size, the last {day}: {times:.2g} times the median before it"
    return Finding(door, "skew", "warning", message, "see whether the day was exported whole, and once")


def _hours(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"
