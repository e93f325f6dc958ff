"""One tick of watching a door: every org in turn, under a time budget, and what is to be reported of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from justai_assets.contract.errors import JustAIError, TransientStorageError
from justai_assets.landing import memory as memories
from justai_assets.landing.changes import Changes, Key, Memory, bridged, compare
from justai_assets.landing.contents import Contents
from justai_assets.landing.listing import LandedDay, stray_note
from justai_assets.landing.rotation import Cursor, Place, Turn, kept, turns
from justai_assets.landing.survey import ManifestCache, Survey, survey, survey_days
from justai_assets.storage import Root

RECENT: Final = timedelta(days=3)
"""Days before today that every tick lists: customers export the last two to three days again and again."""

BUDGET: Final = timedelta(seconds=40)
"""A tick must answer within 60 seconds."""

MAX_REPORTS: Final = 2000
"""Reports of one tick: each costs the instance about 12 ms on SQLite."""

AT_ONCE: Final = 8
"""Orgs listed at the same time: a listing on S3 is waiting, mostly."""

READING: Final = timedelta(seconds=2)
"""How long an org's days on disk are read at least, once it is its turn: a tick that listed for long still gets on."""

MANY_SINGLY: Final = 50
"""Of an org with more days to list than these, everything is listed: a request a day would cost more."""

ORPHAN_AGE: Final = timedelta(days=1)


@dataclass(frozen=True)
class Watched:
    """What a door of one org is judged by: its first day, and how long a day must be unchanged."""

    start: date
    settle: timedelta = timedelta(0)


@dataclass(frozen=True)
class Hints:
    """What a queue said: days to list, by org, and orgs to sweep.

    Attributes:
        days: by slug.
        sweep: orgs of which something outside a day's folder was written.
        note: number of the last note these are from.
        is_alive: whether the queue is being read, so that recent days need not be listed on suspicion.
    """

    days: Mapping[str, Collection[Key]] = field(default_factory=dict)
    sweep: Collection[str] = ()
    note: int = 0
    is_alive: bool = False


@dataclass
class Cache:
    """What a process remembers between ticks to save reading it again; losing it loses nothing."""

    manifests: ManifestCache = field(default_factory=dict)
    contents: Contents = field(default_factory=Contents)
    memories: MutableMapping[str, tuple[str, Memory]] = field(default_factory=dict)


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
    visit = _Visit(landing, lake, door, orgs, now, clock, listed, deadline, cache, hints, unsure)
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


@dataclass(frozen=True)
class _Look:
    memory: Memory
    survey: Survey
    is_lost: bool
    is_sweep: bool


@dataclass(frozen=True)
class _Visit:
    """An org's turn, in two steps: looking, which may run beside others, and judging, one after the other."""

    landing: Root
    lake: Root
    door: str
    orgs: Mapping[str, Watched]
    now: datetime
    clock: Callable[[], float]
    listed: float
    deadline: float
    cache: Cache
    hints: Hints
    unsure: Mapping[str, Collection[Key]]

    def try_to_look(self, turn: Turn, places: Mapping[str, Place]) -> _Look | JustAIError:
        """The survey, or the error that stopped it: one org's trouble is not another's."""
        try:
            return self.look(turn, places.get(turn.slug, Place()))
        except JustAIError as error:
            return error
        except FileNotFoundError:
            return TransientStorageError(
                f"listing {self.door} of {turn.slug}: something vanished meanwhile", mend="it is listed again"
            )

    def look(self, turn: Turn, place: Place) -> _Look:
        slug = turn.slug
        memory = self._memory(slug, place.memory)
        is_lost = memory is None
        is_sweep = turn.is_sweep or is_lost
        memory = (memory or Memory()).unsure_of(self.unsure.get(slug, ()))
        known = memory.marks.keys() | memory.waiting.keys()
        first = None
        singly: set[Key] = set()
        if is_sweep:
            first = None if is_lost or slug in self.unsure else place.resume
        else:
            singly = {*memory.waiting, *self.hints.days.get(slug, ())}
            is_sweep = len(singly) > MANY_SINGLY
        if not is_sweep:
            if self.hints.is_alive:
                return _Look(
                    memory, survey_days(self.landing, self.door, slug, singly, self.cache.manifests), is_lost, is_sweep
                )
            # On disk a listing walks through all days in any case.
            first = None if self.landing.is_local else self.now.date() - RECENT
        found = survey(
            self.landing,
            self.door,
            slug,
            first=first,
            known=known,
            is_late=lambda: self.clock() >= self.listed,
            manifests=self.cache.manifests,
        )
        if singly := singly - found.looked.keys():
            more = survey_days(self.landing, self.door, slug, singly, self.cache.manifests)
            found = replace(found, looked=found.looked | more.looked)
        return _Look(memory, found, is_lost, is_sweep)

    def judge(self, turn: Turn, place: Place, found: _Look, limit: int) -> tuple[Place, Changes]:
        org = self.orgs[turn.slug]
        until = max(self.deadline, self.clock() + READING.total_seconds())
        changes = compare(
            found.memory,
            found.survey.looked,
            start=org.start,
            today=self.now.date(),
            now=self.now,
            settle=org.settle,
            version=lambda landed: self.cache.contents.version(
                self.landing, turn.slug, landed, lambda: self.clock() >= until
            ),
            limit=limit,
        )
        name = place.memory
        if changes.memory != found.memory or not name or found.is_lost or turn.slug in self.unsure:
            name = memories.save(self.lake, self.door, turn.slug, changes.memory)
            self.cache.memories[turn.slug] = (name, changes.memory)
        if not found.is_sweep:
            swept = 0 if changes.held_back else place.swept
            # One that was cut off goes on as a sweep, from there.
            return replace(place, memory=name, swept=swept, resume=found.survey.resume or place.resume), changes
        if changes.held_back:
            # The same part again: what the limit held back lies somewhere in it.
            return replace(place, memory=name), changes
        if place.resume is None and found.survey.resume is None:
            changes = replace(changes, reports=tuple(bridged(changes.reports, found.survey.looked, found.memory.marks)))
        if found.survey.resume is not None:
            return replace(place, memory=name, resume=found.survey.resume), changes
        memories.discard_orphans(
            self.lake, self.door, turn.slug, keep=frozenset({name, place.memory}), before=self.now - ORPHAN_AGE
        )
        return Place(name, int(self.now.timestamp())), changes

    def _memory(self, slug: str, name: str) -> Memory | None:
        if not name:
            return Memory()
        cached = self.cache.memories.get(slug)
        if cached is not None and cached[0] == name:
            return cached[1]
        found = memories.load(self.lake, self.door, slug, name)
        if found is not None:
            self.cache.memories[slug] = (name, found)
        return found


def _remarks(changes: Changes, found: _Look) -> list[str]:
    said: Sequence[tuple[bool, str]] = (
        (found.is_lost, "what was remembered of it is lost or damaged; every day is reported again"),
        (changes.is_gone, "every known day is gone at once; believed after an hour, check JUSTAI_LANDING"),
        (changes.early > 0, f"{changes.early} days before its start_date are not read"),
        (changes.late > 0, f"{changes.late} days after today wait for their day"),
        (bool(found.survey.strays), stray_note(found.survey.strays)),
        (changes.held_back > 0, f"{changes.held_back} changed days are left to the next tick"),
    )
    return [text for holds, text in said if holds]
