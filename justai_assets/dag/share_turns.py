"""Whose share is asked next, and when a run is started: what the sensor on versions keeps between two ticks. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

FIRST_BACKOFF_SECONDS = 60
LONGEST_BACKOFF_SECONDS = 3600
LOUD_AFTER_FAILURES = 6
"""Passing failures in a row, about half an hour of them, after which a run is started to fail where alerts look."""


def backoff(times: int) -> int:
    """Seconds to wait after so many failures in a row.

    >>> [backoff(times) for times in (0, 1, 2, 99)]
    [0, 60, 120, 3600]
    """
    return min(FIRST_BACKOFF_SECONDS * 2 ** min(times - 1, 16), LONGEST_BACKOFF_SECONDS) if times else 0


@dataclass(frozen=True)
class Turn:
    """What is known of one share.

    Attributes:
        polled: when it was last asked, seconds since 1970.
        failures: how often in a row asking failed.
        work: what the last run was asked to do, or "".
        tries: how many runs were started for it.
        requested: when the last of them was.
    """

    polled: float = 0.0
    failures: int = 0
    work: str = ""
    tries: int = 0
    requested: float = 0.0

    def up_to_date(self, now: float) -> Turn:
        """Nothing to do."""
        return Turn(polled=now)

    def failed(self, now: float) -> Turn:
        """Asking failed."""
        return replace(self, polled=now, failures=self.failures + 1)

    def answered(self, now: float) -> Turn:
        """Asking succeeded, and there is work."""
        return replace(self, polled=now, failures=0)

    def starts(self, work: str, now: float) -> Turn | None:
        """The turn after a run was started for some work, or None when it is too early for another try."""
        if work != self.work:
            return replace(self, work=work, tries=1, requested=now)
        if now < self.requested + backoff(self.tries):
            return None
        return replace(self, tries=self.tries + 1, requested=now)


def read_turns(cursor: str | None, slugs: Sequence[str]) -> dict[str, Turn]:
    """The turns that a cursor holds, of shares that are still there; a cursor of another form is no memory at all."""
    kept = json.loads(cursor or "{}")
    known = Turn.__dataclass_fields__
    return {
        slug: Turn(**{name: value for name, value in turn.items() if name in known})
        for slug, turn in kept.items()
        if slug in slugs
    }


def write_turns(turns: dict[str, Turn]) -> str:
    """The inverse of `read_turns`."""
    return json.dumps({slug: asdict(turn) for slug, turn in turns.items()})


def due(turns: dict[str, Turn], slugs: Sequence[str], now: float) -> list[str]:
    """The shares to ask, longest unasked first, without those whose last failure is too fresh."""

    def waits_until(slug: str) -> float:
        turn = turns.get(slug, Turn())
        return turn.polled + backoff(turn.failures)

    return sorted((slug for slug in slugs if waits_until(slug) <= now), key=waits_until)
