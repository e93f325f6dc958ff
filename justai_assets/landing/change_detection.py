"""One tick of watching a door: every org in turn, under a time budget, and what is to be reported of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from justai_assets.contract.errors import JustAIError
from justai_assets.landing import sensor_memory as memories
from justai_assets.landing.day_changes import Changes, Key
from justai_assets.landing.listing import LandedDay, stray_note
from justai_assets.landing.org_changes import Cache, Hints, Look, Visit, Watched
from justai_assets.landing.sensor_cursor import Cursor, Place, kept, turns
from justai_assets.storage import Root

BUDGET: Final = timedelta(seconds=40)
"""A tick must answer within 60 seconds."""

MAX_REPORTS: Final = 2000
"""Reports of one tick: each costs the instance about 12 ms on SQLite."""

AT_ONCE: Final = 8
"""Orgs listed at the same time: a listing on S3 is waiting, mostly."""


@dataclass
class Tick:
    """What one tick came to.

    Attributes:
        reports: (slug, day, data version), in the order of turns; the day of undated records is None.
        cursor: to be stored once the reports have arrived.
        failures: orgs whose listing failed, and why; they are swept when their next turn comes.
        remarks: by slug, what a person should know.
        visited: orgs that had their turn.
    """

    reports: list[tuple[str, LandedDay, str]] = field(default_factory=list)
    cursor: Cursor = field(default_factory=Cursor)
    failures: dict[str, JustAIError] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    visited: int = 0


def watch(
    landing: Root,
    lake: Root,
    door: str,
    orgs: Mapping[str, Watched],
    cursor: Cursor,
    *,
    now: datetime,
    clock: Callable[[], float],
    cache: Cache,
    hints: Hints | None = None,
    budget: timedelta = BUDGET,
    limit: int = MAX_REPORTS,
    slice_name: str = "",
) -> Tick:
    """Look at a door of all orgs, as many as the budget allows; the rest comes first in the next tick.

    Args:
        landing: the landing root; read only.
        lake: the lake root; memories are kept below `_sensors/`.
        door: the door.
        orgs: by slug.
        cursor: from the last tick whose reports arrived.
        now: the time, UTC; its date is the last day that is reported.
        clock: seconds that go on while the tick runs.
        cache: kept by the caller between ticks.
        hints: what a queue said since.
        budget: when no further org is begun, and the one at hand is cut short: what was done of it stands, the rest
            follows. On disk, half of it is for listing and the rest for reading what changed.
        limit: most reports; a day beyond it is reported by the next tick.
        slice_name: tells this sensor from those that watch the door for other orgs; "" where there is one.
    """
    began = clock()
    deadline = began + budget.total_seconds()
    listed = began + budget.total_seconds() / (2 if landing.is_local else 1)
    hints = hints or Hints(note=cursor.hint)
    unsure = memories.load_intent(lake, door, cursor.tick, slice_name=slice_name)
    order = turns(orgs, cursor, now, sweep={*hints.sweep, *unsure})
    places = dict(cursor.places)
    tick = Tick()
    replaced: list[tuple[str, str]] = []
    for slug, name in cursor.discard:
        if places.get(slug, Place()).memory != name:
            memories.discard(lake, door, slug, name)
    visit = Visit(landing, lake, door, orgs, now, clock, listed, deadline, cache, hints, unsure)
    settled: set[str] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while tick.visited < len(order) and clock() < deadline and len(tick.reports) < limit:
            batch = order[tick.visited : tick.visited + AT_ONCE]
            for turn, found in zip(batch, pool.map(visit.try_to_look, batch, [places] * len(batch)), strict=True):
                slug, place = turn.slug, places.get(turn.slug, Place())
                try:
                    if isinstance(found, JustAIError):
                        raise found
                    new, changes = visit.judge(turn, place, found, limit - len(tick.reports))
                except JustAIError as error:
                    tick.failures[slug] = error
                    places[slug] = replace(place, swept=0)
                else:
                    if place.memory and place.memory != new.memory:
                        replaced.append((slug, place.memory))
                    places[slug] = new
                    settled.add(slug)
                    tick.reports += [(slug, day, version) for day, version in changes.reports]
                    tick.remarks |= {slug: said} if (said := _remarks(changes, found)) else {}
                tick.visited += 1
                if len(tick.reports) >= limit or clock() >= deadline:
                    break
    for turn in order[tick.visited :]:
        if turn.slug in hints.days or turn.slug in hints.sweep:
            places[turn.slug] = replace(places.get(turn.slug, Place()), swept=0)
    following = order[tick.visited].slug if tick.visited < len(order) else ""
    owed = {slug: days for slug, days in unsure.items() if slug not in settled and slug in orgs}
    reported: dict[str, set[Key]] = {}
    for slug, day, _ in tick.reports:
        reported.setdefault(slug, set()).add(day.day)
    if reported or unsure:
        memories.save_intent(lake, door, cursor.tick, reported, owed, slice_name=slice_name)
    tick.cursor = Cursor(kept(places, list(orgs)), following, tuple(replaced), hints.note, cursor.tick + 1)
    return tick


def _remarks(changes: Changes, found: Look) -> list[str]:
    said: Sequence[tuple[bool, str]] = (
        (found.is_lost, "what was remembered of it is lost or damaged; every day is reported again"),
        (changes.is_gone, "every known day is gone at once; believed after an hour, check JUSTAI_LANDING"),
        (changes.early > 0, f"{changes.early} days before its start_date are not read"),
        (changes.late > 0, f"{changes.late} days after today wait for their day"),
        (bool(found.survey.strays), stray_note(found.survey.strays)),
        (changes.held_back > 0, f"{changes.held_back} changed days are left to the next tick"),
    )
    return [text for holds, text in said if holds]
