"""One org's turn in a tick: what lies there, compared with what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from justai_assets.contract.errors import JustAIError, TransientStorageError
from justai_assets.landing import sensor_memory as memories
from justai_assets.landing.content_hash import Contents
from justai_assets.landing.day_changes import Changes, Key, Memory, bridged, compare
from justai_assets.landing.sensor_cursor import Place, Turn
from justai_assets.landing.source_listing import ManifestCache, Survey, survey, survey_days
from justai_assets.storage import Root

RECENT: Final = timedelta(days=3)
"""Days before today that every tick lists: customers export the last two to three days again and again."""

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


@dataclass(frozen=True)
class Look:
    """What was seen of an org, and what had been remembered of it.

    Attributes:
        memory: what was remembered; empty where nothing was.
        survey: what lies there.
        is_lost: the memory is lost or damaged, so that every day is reported again.
        is_sweep: all days were listed, or as many as the time allowed.
    """

    memory: Memory
    survey: Survey
    is_lost: bool
    is_sweep: bool


@dataclass(frozen=True)
class Visit:
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

    def try_to_look(self, turn: Turn, places: Mapping[str, Place]) -> Look | JustAIError:
        """The survey, or the error that stopped it: one org's trouble is not another's."""
        try:
            return self.look(turn, places.get(turn.slug, Place()))
        except JustAIError as error:
            return error
        except FileNotFoundError:
            return TransientStorageError(
                f"listing {self.door} of {turn.slug}: something vanished meanwhile", mend="it is listed again"
            )

    def look(self, turn: Turn, place: Place) -> Look:
        """List an org's days: all of them where it is swept, else the recent ones and those that may have changed.

        Raises:
            JustAIError: the listing failed.
        """
        slug = turn.slug
        memory = self._memory(slug, place.memory)
        is_lost = memory is None
        memory = (memory or Memory()).unsure_of(self.unsure.get(slug, ()))
        is_moved = memory.has_other_start(self.orgs[slug].start)
        if is_moved and None in memory.marks:
            # Other records are undated than before: they are filed or refused anew, although nothing landed.
            memory = memory.unsure_of([None])
        is_sweep = turn.is_sweep or is_lost or is_moved
        known = memory.marks.keys() | memory.waiting.keys()
        first = None
        singly: set[Key] = set()
        if is_sweep:
            first = None if is_lost or is_moved or slug in self.unsure else place.resume
        else:
            singly = {*memory.waiting, *self.hints.days.get(slug, ())}
            is_sweep = len(singly) > MANY_SINGLY
        if not is_sweep:
            if self.hints.is_alive:
                return Look(
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
        return Look(memory, found, is_lost, is_sweep)

    def judge(self, turn: Turn, place: Place, found: Look, limit: int) -> tuple[Place, Changes]:
        """Tell which days have changed, and save what is now remembered; the place goes into the cursor.

        Args:
            turn: the org's turn.
            place: where the cursor left the org.
            found: what `look` saw.
            limit: most reports.
        """
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
            # The same part again, and at once: what the limit held back lies somewhere in it.
            return replace(place, memory=name, swept=0), changes
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
