"""Days of an org's doors → days of a table, with quarantine and ledger beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.foreign_names import safe_key
from justai_assets.contract.tables import FATES, QUARANTINE, Table
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.ledger import (
    ACCEPTED,
    DUPLICATE,
    PLACEHOLDER_ID,
    PLACEHOLDER_PEOPLE,
    QUARANTINED,
    RECEIVED,
    UNREAD_COLUMN,
    DayReport,
    Fate,
    fates_frame,
    read_fates,
)
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.landing import decoder
from justai_assets.landing.landing_paths import door_prefix
from justai_assets.landing.listing import days_and_strays, is_bare, named, stray_note
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.sources.intake import Intake, open_day
from justai_assets.sources.registry import is_drop
from justai_assets.storage import Root


class EmptyDoorError(StorageError):
    """A door that had records and now holds no object at all: more often a wrong root than an emptied one."""

    code = "door_empty"

    def __init__(self, door: str, slug: str, day: date | None, records: int) -> None:
        super().__init__(
            f"{door} of {slug} holds no object at all, and {records:,} records on {day} came from it",
            mend=f"check JUSTAI_LANDING and {door_prefix(door, slug)}/ there; if it is meant, materialize with "
            "--accept-empty, or with accept_empty: true of the resource platform",
        )
        self.door = door


def build_from_doors(
    org: Org,
    landing: Root,
    lake: Lake,
    table: Table,
    doors: Sequence[str],
    days: Days | None,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
    accept_empty: bool = False,
) -> list[DayReport]:
    """Replace days of a table by what the doors hold for them.

    Args:
        org: the org.
        landing: the landing root.
        lake: the lake.
        table: esp_events, custom_events, or unified_events (for a unified drop).
        doors: the doors that the table is made of.
        days: the days, replaced in one commit; None takes in the undated records, all of which go to quarantine.
        note: put into the commits' metadata.
        on_day: called after each day is written, before the commit.
        accept_empty: take it for an answer that nothing is left of a door whose records the days held.

    Nothing is visible until every day is written; a failure leaves the previous content of all of them.

    Raises:
        EmptyDoorError: a door had records on one of the days, and now has no object on any day.
    """
    asset, table = table.name, declared(org, table)
    reports = []
    if any(is_drop(door) for door in doors):
        decoder.start()
    astray = [mark for door in doors for mark in _astray(landing, door, org.slug)] if days is not None else []
    held = {} if accept_empty or days is None else _held(lake, org.slug, table, days)
    stamp = stamp_of(org, table)
    with ExitStack() as stack:
        # What is entered first commits last: the ledger is the evidence that the rows are there.
        partition = {"asset": asset}
        ledger = stack.enter_context(lake.replacing(org.slug, FATES, days, partition=partition, note=note, stamp=stamp))
        quarantine = stack.enter_context(lake.replacing(org.slug, QUARANTINE, days, partition=partition, note=note))
        rows = (
            stack.enter_context(lake.replacing(org.slug, table, days, note=note, stamp=stamp))
            if days is not None
            else None
        )
        for day in days if days is not None else [None]:
            fates: list[Fate] = []
            # What belongs to no day is said with the first.
            marks: list[str] = astray if days is not None and day == days.first else []
            files = 0
            for door in doors:
                with open_day(landing, org, door, day, table) as intake:
                    if (day, door) in held and not intake.landed.data and is_bare(landing, door, org.slug):
                        raise EmptyDoorError(door, org.slug, day, held[day, door])
                    written = rows.write(day, intake.accepted) if rows is not None else 0
                    quarantine.write(day, _quarantined(intake, day, asset, door))
                    fates += _fates(intake, day, door, written)
                    marks += [f"{door}: {mark}" for mark in (*intake.marks, *_foreign(intake), *_placeholders(intake))]
                    files += len(intake.landed.data)
            ledger.write(day, fates_frame(asset, fates))
            size = rows.bytes(day) if rows is not None else 0
            count = rows.rows(day) if rows is not None else 0
            report = DayReport(day, count, size, tuple(fates), tuple(marks), files)
            reports.append(report)
            on_day(report)
    return reports


def _astray(landing: Root, door: str, slug: str) -> Iterator[str]:
    _, found = days_and_strays(landing, door, slug)
    if found:
        yield f"{door}: {stray_note(found)}"


def _foreign(intake: Intake) -> Iterator[str]:
    found = intake.landed.foreign
    if found:
        keys = [one.key for one in found]
        yield f"not read, because the name is not that of the door's files: {named(keys)}"


def _placeholders(intake: Intake) -> Iterator[str]:
    for name, (events, people) in intake.placeholders.items():
        said = f"{events:,} events have a placeholder (null, undefined, 0, …) as {name}, which names nobody"
        yield f"{said}; {people:,} people are named by another id of these events"


def _held(lake: Lake, slug: str, table: Table, days: Days) -> dict[tuple[date | None, str], int]:
    """(day, door) → records received when the day was last built, where there were some; of a torn day its rows."""
    fates = read_fates(lake, slug, days, table.name).filter(pl.col("fate") == RECEIVED, pl.col("records") > 0)
    held = {(day, door): records for day, door, records in fates.select("event_date", "door", "records").iter_rows()}
    torn = [day for day in BuiltDays.of(lake, slug, table).torn if day in days]
    if torn and "door" in table.schema:
        rows = lake.scan(slug, table, days).filter(pl.col(table.day_column).is_in(torn))
        held |= {(day, door): n for day, door, n in rows.group_by(table.day_column, "door").len().collect().iter_rows()}
    return held


def _fates(intake: Intake, day: date | None, door: str, written: int) -> Iterator[Fate]:
    yield Fate(day, door, RECEIVED, intake.received)
    yield Fate(day, door, ACCEPTED, written)
    yield Fate(day, door, DUPLICATE, intake.duplicates)
    refused = intake.rejected.group_by("reason").agg(pl.col("records").sum()).sort("reason").collect(engine="streaming")
    for reason, records in refused.iter_rows():
        yield Fate(day, door, QUARANTINED, records, reason)
    if refused.is_empty():
        # A day without a refusal says so: its number is 0, not absent.
        yield Fate(day, door, QUARANTINED, 0)
    for column, records in intake.extra_columns.items():
        yield Fate(day, door, UNREAD_COLUMN, records, safe_key(column))
    for name, (events, people) in intake.placeholders.items():
        yield Fate(day, door, PLACEHOLDER_ID, events, name)
        yield Fate(day, door, PLACEHOLDER_PEOPLE, people, name)


def _quarantined(intake: Intake, day: date | None, asset: str, door: str) -> pl.LazyFrame:
    return intake.rejected.select(
        pl.lit(day, pl.Date).alias("event_date"),
        pl.lit(asset).alias("asset"),
        pl.lit(door).alias("door"),
        *REJECTED_COLUMNS,
    )


REJECTED_COLUMNS = ("reason", "source_file", "source_row", "record_id", "records")
