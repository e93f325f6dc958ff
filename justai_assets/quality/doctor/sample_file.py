"""A file or payload, checked before anything is connected: landed in a scratch folder and taken in as the real one."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.foreign_names import is_personal_column, safe_columns
from justai_assets.landing import parquet
from justai_assets.landing.event_id import event_id
from justai_assets.landing.landing_paths import day_of, day_prefix
from justai_assets.orgs.extra_columns import of_source
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.doctor.intake_findings import examine_day
from justai_assets.scratch import scratch_folder
from justai_assets.sources.registry import SOURCES, envelopes_of, is_drop, lands, source_named
from justai_assets.sources.source import Asked, FileReader
from justai_assets.storage import Root

MAX_BYTES = 256 << 20
MAX_DAYS = 7
"""Of a sample that spans more days, the days with most records are looked at."""


class SampleError(JustAIError):
    """A sample that cannot be looked at."""

    code = "sample"


def examine_sample(org: Org, file: Path, now: datetime, *, door: str | None = None) -> list[Finding]:
    """What the door would make of a file.

    Args:
        org: the org; its salt is not needed.
        file: Parquet of a drop, or JSON: one body, a list of bodies, or one body or envelope a line.
        now: when the sample is taken as received.
        door: the door it is for; told from its content when not given.

    Raises:
        SampleError: a file that is not there, is too large, says nothing of which door it is for, or is of a kind that
            the door does not take.
    """
    if not file.is_file():
        raise SampleError(f"{file} is not a file", mend="name a Parquet or JSON file")
    if file.stat().st_size > MAX_BYTES:
        raise SampleError(f"{file.name} is larger than 256 MiB", mend="give a part of it")
    with file.open("rb") as content:
        is_parquet = content.read(4) == b"PAR1"
    _refuse_another_kind(file, door, is_parquet=is_parquet)
    with scratch_folder("sample") as scratch:
        root = Root.parse(f"{scratch}/landing")
        salt = scratch / "salt"
        salt.write_text("a sample's keys are thrown away with it")
        org = org.model_copy(update={"pseudonym_salt": f"file:{salt}"})
        if is_parquet:
            org, door = _with_drop(org, file, door)
            unlike = _unlike_its_content(org, door, file)
            if unlike:
                return unlike
            days, more = _land_parquet(root, org, door, file, now.date())
        else:
            door, days, more = _land_bodies(root, org, file, now, door)
            if org.sources.of(door) is None:
                mend = f"add sources.{door} to {org.slug}.yaml"
                return [Finding(door, "contract", "problem", f"{org.slug} has no {door} door", mend)]
        findings = [one for day in days for one in examine_day(root, org, door, day, now, is_sample=True)]
    if more:
        said = f"{len(days)} days were looked at, those with most records; {more} more days of the sample were not"
        findings.append(Finding(door, "days", "warning", said, "give the others in files of their own"))
    # Every day of a file has the same columns: said once.
    return list(dict.fromkeys(findings))


def _refuse_another_kind(file: Path, door: str | None, *, is_parquet: bool) -> None:
    if door is None:
        return
    if not lands(door):
        drops = ", ".join(name for name in SOURCES if is_drop(name))
        mend = f"check a Parquet file of the shared table with --door ({drops}); justai doctor asks {door} itself"
        raise SampleError(f"{door} takes no files, its table is asked", mend=mend)
    if is_drop(door) and not is_parquet:
        raise SampleError(f"{file.name} is not Parquet, and {door} brings nothing else", mend="give a Parquet file")
    if not is_drop(door) and is_parquet:
        raise SampleError(f"{file.name} is Parquet, and {door} brings JSON", mend="give a body as it is sent")


def _columns(file: Path) -> set[str]:
    """The columns' names in lower case; none for a file that cannot be read."""
    try:
        return {name.lower() for name in parquet.footer(file, file.name).columns}
    except parquet.DropFileError:
        return set()


def _unlike_its_content(org: Org, door: str, file: Path) -> list[Finding]:
    """A file of the one content for a door of the other, which would refuse it whole."""
    columns = _columns(file)
    content = org.sources.content(door)
    other = "custom_events" if content == "unified_events" else "unified_events"
    reader = _reader(door)
    own, others = reader.kinds[content].keys(), reader.kinds[other].keys()
    if not columns or own <= columns or not others <= columns:
        return []
    said = f"the file has the columns of {other}, and {org.slug}.yaml says sources.{door}.content: {content}"
    change = (
        f"set content: {other} and engagement: {door}, and take out custom"
        if other == "unified_events"
        else f"set content: {other}, name {door} under custom, and take engagement from another door"
    )
    mend = f"export {content} (justai sql --dialect {door} --org {org.slug}), or in the org file {change}"
    findings = [Finding(door, "contract", "problem", said, mend)]
    beyond = sorted(columns - others - {*reader.optional})
    personal = [name for name in safe_columns(enumerate(beyond, start=1)) if is_personal_column(name)]
    if personal:
        said = f"personal data by its name: {', '.join(personal)}"
        findings.append(Finding(door, "columns", "problem", said, "leave it out of the export"))
    return findings


def _with_drop(org: Org, file: Path, door: str | None) -> tuple[Org, str]:
    """The door that a Parquet file is for, and the org with it."""
    columns = _columns(file)
    drops = [one for one in SOURCES if is_drop(one)]
    mine = [one for one in drops if org.sources.of(one) is not None]
    door = door or (mine or drops)[0]
    if door not in mine:
        is_unified = "user_id_or_email" not in columns
        section = source_named(door).section(Asked(org.slug, is_engagement=is_unified))
        settings = source_named(door).settings
        assert settings is not None, "a drop has a section in the org file"
        sources = org.sources.model_copy(update={door: settings.model_validate(section)})
        org = org.model_copy(update={"sources": sources})
    return org, door


def _land_parquet(root: Root, org: Org, door: str, file: Path, today: date) -> tuple[list[date], int]:
    """The days the file's rows were landed in, and how many days more it has."""
    named = day_of(file.resolve().as_posix())
    found = _decoded(root, org, door, file) if named is None else None
    if found is None:
        # A file of one day, or one that is refused whole: as it is.
        day = named or today
        root.write(f"{day_prefix(door, org.slug, day)}/sample.parquet", file)
        return [day], 0
    rows = _as_sent(found).with_columns(pl.col("event_timestamp").dt.date().fill_null(today).alias("_day"))
    parts = {day: part.drop("_day") for (day,), part in rows.partition_by("_day", as_dict=True).items()}
    days = sorted(parts, key=lambda one: -len(parts[one]))[:MAX_DAYS] or [today]
    for day in days:
        path = root.local(f"{day_prefix(door, org.slug, day)}/sample.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        parts.get(day, rows.drop("_day")).write_parquet(path)
    return sorted(days), max(len(parts) - len(days), 0)


def _decoded(root: Root, org: Org, door: str, file: Path) -> parquet.DropFile | None:
    target = root.local("sample.arrow")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        declared, reader = of_source(org, door), _reader(door)
        kinds = {**reader.kinds[org.sources.content(door)], **declared}
        return parquet.decoded(file, file.name, kinds, target, known=reader.optional, optional=declared)
    except parquet.DropFileError:
        return None


def _as_sent(found: parquet.DropFile) -> pl.DataFrame:
    """The decoded rows with what the contract refuses of them: columns beyond it, and text that is not UTF-8."""
    rows = found.scan().drop(parquet.ROW).with_columns(pl.lit(None, pl.Null).alias(name) for name in found.extra)
    for column in found.undecodable:
        raw = pl.when(parquet.UNDECODABLE).then(pl.lit(b"\xff")).otherwise(pl.col(column).cast(pl.Binary))
        rows = rows.with_columns(raw.alias(column))
    return rows.drop(parquet.UNDECODABLE).collect()


def _land_bodies(root: Root, org: Org, file: Path, now: datetime, door: str | None) -> tuple[str, list[date], int]:
    bodies, broken = _bodies(file)
    door = door or next((found for body in bodies if (found := _door_of(body))), None)
    if door is None:
        raise SampleError(f"{file.name} looks like no door's payload", mend="say which with --door")
    by_day: dict[date, list[str]] = defaultdict(list)
    for number, body in enumerate(bodies):
        envelope = {
            # A Journey body cannot tell a repeat from a redelivery: each line of a sample is a receipt of its own.
            "id": event_id(door, body, str(number)),
            "received_at": now.isoformat(),
            "query": {},
            "body": body,
        }
        by_day[_day(door, body, now)].append(json.dumps(envelope))
    by_day[now.date()] += broken
    ordered = sorted((day for day in by_day if by_day[day]), key=lambda one: -len(by_day[one]))
    days = ordered[:MAX_DAYS]
    for day in days:
        lines = "".join(f"{one}\n" for one in by_day[day])
        root.write(f"{day_prefix(door, org.slug, day)}/sample.jsonl", lines.encode())
    return door, sorted(days), len(ordered) - len(days)


def _bodies(file: Path) -> tuple[list[Any], list[str]]:
    """The bodies of a file, out of their envelopes, and the lines that are not JSON."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SampleError(f"{file.name} is neither Parquet nor UTF-8", mend="give the file as it is sent") from None
    try:
        whole = json.loads(text)
        found: list[Any] = whole if isinstance(whole, list) else [whole]
        broken: list[str] = []
    except ValueError:
        found, broken = [], []
        for line in (one.removeprefix("\ufeff") for one in text.split("\n")):
            try:
                found += [json.loads(line)] if line.strip() else []
            except ValueError:
                broken.append(line)
    return [_out_of_envelope(one) for one in found], broken


def _out_of_envelope(one: Any) -> Any:
    return one["body"] if isinstance(one, dict) and {"body", "received_at"} <= one.keys() else one


def _door_of(body: Any) -> str | None:
    names = body.keys() if isinstance(body, dict) else set()
    return next((name for name, one in SOURCES.items() if one.envelopes and one.envelopes.mark in names), None)


def _day(door: str, body: Any, now: datetime) -> date:
    """The folder the writer would choose; a time that cannot be read stays with today, where it is refused."""
    moment = envelopes_of(door).event_time(body if isinstance(body, dict) else {}, now)
    return moment.date() if moment is not None else now.date()


def _reader(source: str) -> FileReader:
    reader = source_named(source).files
    assert reader is not None, "only a drop's files are Parquet"
    return reader()
