"""Whose turn it is: the cursor of a door's sensor, and the order in which orgs are looked at."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

SWEEP_EVERY: Final = timedelta(hours=1)
"""How often everything of an org is listed, and not its recent days alone."""

MAX_ABSENT: Final = 2000
"""Orgs that are no longer served but still remembered: a mended org file must not rebuild the org's whole history."""


@dataclass(frozen=True)
class Place:
    """Where the sensor stands with one org.

    Attributes:
        memory: name of its memory ("" for none yet).
        swept: when its last full sweep ended (epoch seconds; 0 for never, or for one that is due at once).
        resume: the day at which a full sweep that was cut off goes on.
    """

    memory: str = ""
    swept: int = 0
    resume: date | None = None


@dataclass(frozen=True)
class Cursor:
    """What a door's sensor knows, apart from the memories that it names.

    Attributes:
        places: by slug.
        next: the org whose turn is next; "" for the first.
        discard: (slug, name) of memories that were replaced when this cursor was written.
        hint: number of the last note of hints that was followed.
        tick: counts ticks; a tick that is repeated after a crash has the same number.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    next: str = ""
    discard: tuple[tuple[str, str], ...] = ()
    hint: int = 0
    tick: int = 0


@dataclass(frozen=True)
class Turn:
    """One org's turn: the whole door or its recent days."""

    slug: str
    is_sweep: bool


def turns(slugs: Iterable[str], cursor: Cursor, now: datetime, *, sweep: Collection[str] = ()) -> list[Turn]:
    """The orgs in the order of their turns, beginning with the one the last tick did not come to.

    An org's turn is a full sweep when the last one is an hour old, was cut off, or is asked for (`sweep`).
    """
    ordered = sorted(slugs)
    ordered = [slug for slug in ordered if slug >= cursor.next] + [slug for slug in ordered if slug < cursor.next]
    due = now.timestamp() - SWEEP_EVERY.total_seconds()

    def is_due(place: Place) -> bool:
        return place.swept <= due or place.resume is not None

    return [Turn(slug, slug in sweep or is_due(cursor.places.get(slug, Place()))) for slug in ordered]


def kept(places: Mapping[str, Place], served: Sequence[str]) -> dict[str, Place]:
    """The places to remember: all that are served, and of the others at most MAX_ABSENT."""
    there = set(served)
    absent = [slug for slug in places if slug not in there][-MAX_ABSENT:]
    return {slug: places[slug] for slug in (*absent, *(slug for slug in places if slug in there))}


def encode(cursor: Cursor) -> str:
    """The cursor as JSON, readable in the UI; about 60 bytes an org.

    >>> decode(encode(Cursor(next="acme", hint=3))) == Cursor(next="acme", hint=3)
    True
    """
    return json.dumps(
        {
            "version": 1,
            "next": cursor.next,
            "hint": cursor.hint,
            "tick": cursor.tick,
            "discard": cursor.discard,
            "places": {
                slug: [place.memory, place.swept, *([place.resume.isoformat()] if place.resume else [])]
                for slug, place in cursor.places.items()
            },
        },
        separators=(",", ":"),
    )


def decode(text: str | None) -> Cursor:
    """The cursor that `encode` wrote. Nothing, or something else, is a cursor that knows nothing: all is looked at."""
    if not text:
        return Cursor()
    try:
        parsed = json.loads(text)
        if parsed["version"] != 1:
            return Cursor()
        places = {
            slug: Place(str(memory), int(swept), *(date.fromisoformat(day) for day in resume))
            for slug, (memory, swept, *resume) in parsed["places"].items()
        }
        discard = tuple((str(slug), str(name)) for slug, name in parsed["discard"])
        return Cursor(places, str(parsed["next"]), discard, int(parsed["hint"]), int(parsed["tick"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Cursor()
