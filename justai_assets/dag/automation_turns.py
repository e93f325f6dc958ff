"""Which orgs' conditions are evaluated now, and what the sensor keeps of each between two ticks. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

AWAKE_SECONDS: Final = 2 * 3600
"""So long after its last change an org's clock counts: a report waits for the hour, today for its next batch."""

SLOT_SECONDS: Final = 900
"""How often the clock of an org that is awake is looked at. Batches of today and hours begin with a slot."""

SWEEP_SECONDS: Final = 6 * 3600
"""How long an org is left alone at most, whatever was or was not noticed."""

_FORM: Final = "orgs-1:"


@dataclass(frozen=True)
class Turn:
    """One org.

    Attributes:
        state: Dagster's own cursor of its tables; "" before the first evaluation.
        at: when it was evaluated last, seconds since 1970.
        changed: when something last happened to its assets or runs.
        backfills: a digest of its unfinished backfills.
    """

    state: str = ""
    at: float = 0.0
    changed: float = 0.0
    backfills: str = ""

    @property
    def is_moved(self) -> bool:
        """Whether something happened since the last evaluation, or there was none."""
        return not self.state or self.changed >= self.at

    def is_due(self, now: float) -> bool:
        """Whether the org is to be evaluated."""
        if self.is_moved or now - self.at >= SWEEP_SECONDS:
            return True
        return now - self.changed < AWAKE_SECONDS and now // SLOT_SECONDS != self.at // SLOT_SECONDS


@dataclass(frozen=True)
class Turns:
    """All orgs.

    Attributes:
        place: events up to this id are noticed.
        orgs: slug → turn.
        last_place: `place` one tick earlier. Events are looked at again from there: with several writers, an id may
            become visible after a higher one.
        at: when the last tick was.
    """

    place: int = 0
    orgs: Mapping[str, Turn] = field(default_factory=dict)
    last_place: int = 0
    at: float = 0.0

    def noticed(
        self,
        newest: int,
        changed: Iterable[str],
        backfills: Mapping[str, Sequence[str]],
        slugs: Iterable[str],
        now: datetime,
    ) -> Turns:
        """The turns of the orgs that are there, with what happened since the last tick."""
        moved, at = set(changed), now.timestamp()
        found = {}
        for slug in slugs:
            turn = self.orgs.get(slug, Turn())
            digest = _digest(backfills.get(slug, ()))
            is_moved = slug in moved or digest != turn.backfills
            found[slug] = replace(turn, backfills=digest, changed=at) if is_moved else turn
        return Turns(newest, found, self.place, at)

    def due(self, now: datetime) -> list[str]:
        """The orgs to evaluate: new and changed ones, then those whose clock counts; longest unevaluated first."""
        due = [slug for slug, turn in self.orgs.items() if turn.is_due(now.timestamp())]
        return sorted(due, key=lambda slug: (not self.orgs[slug].is_moved, self.orgs[slug].at))

    def taken(self, slug: str, state: str, now: datetime) -> Turns:
        """An org was evaluated."""
        at = now.timestamp()
        turn = self.orgs[slug]
        # Just after what was noticed, so that the same change is not evaluated twice.
        return replace(self, orgs={**self.orgs, slug: replace(turn, state=state, at=max(at, turn.changed + 1e-3))})

    def text(self) -> str:
        """For the sensor's cursor, compressed: what is kept of two orgs differs in a few names."""
        return _FORM + base64.b64encode(zlib.compress(json.dumps(asdict(self)).encode())).decode()

    @classmethod
    def parse(cls, text: str | None) -> Turns:
        """The inverse of `text`; a text of another form is no memory at all."""
        try:
            if not text or not text.startswith(_FORM):
                return cls()
            kept = json.loads(zlib.decompress(base64.b64decode(text.removeprefix(_FORM))))
            orgs = {slug: Turn(**turn) for slug, turn in kept["orgs"].items()}
            return cls(int(kept["place"]), orgs, int(kept["last_place"]), float(kept["at"]))
        except (ValueError, TypeError, KeyError, zlib.error):
            return cls()


def _digest(ids: Sequence[str]) -> str:
    return hashlib.blake2b(",".join(ids).encode(), digest_size=6).hexdigest() if ids else ""
