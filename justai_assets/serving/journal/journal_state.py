"""What a worker tells of the journal as a whole: counters of all processes, what waits, and whether landing goes on.

Looking at a journal of thousands of segments takes a tenth of a second: a thread looks, now and then, and a page shows
what it saw last.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from justai_assets.serving.counters import total
from justai_assets.serving.journal.journal_folders import waiting_segments

LOOK_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 300.0
"""A sealer that landed nothing and ended no pass for so long is dead or stuck. An upload that hangs is no reason: a
pass waits 2 s for it, and it ends after a minute."""

_SIGNS_OF_LIFE: Final = ("sealer_passes", "landed_objects")
"""Work that was completed. A failure is none: a sealer that only fails, or dies over and over, gets nowhere."""


@dataclass(frozen=True)
class Seen:
    """The journal at one moment.

    Attributes:
        counted: the sum of all processes' counters.
        backlog_bytes: bytes that are not in the landing zone yet.
        oldest_seconds: for how long the oldest complete segment has waited; 0 when none does.
        is_stalled: the sealer has completed nothing for STALLED_SECONDS.
    """

    counted: Counter[str] = field(default_factory=Counter)
    backlog_bytes: int = 0
    oldest_seconds: float = 0.0
    is_stalled: bool = False


class JournalState:
    """The journal as a thread of its own saw it last.

    Args:
        journal: the collector's journal folder.
        on_error: called with the name of an error of a look, once for each name.
        now: the current Unix time.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        journal: Path,
        on_error: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._on_error = on_error
        self._now = now
        self._monotonic = monotonic
        self._life, self._alive_at = -1, monotonic()
        self._told: set[str] = set()
        self._begun = -1.0
        self._turn = asyncio.Lock()
        self._ended = threading.Event()
        self.seen = Seen()
        self._look_safely()
        self._thread = threading.Thread(target=self._look_for_ever, name="journal-state", daemon=True)
        self._thread.start()

    async def fresh(self) -> Seen:
        """The journal as it is no earlier than now; those who ask at once share a look."""
        asked = self._monotonic()
        async with self._turn:
            if self._begun <= asked:
                await asyncio.to_thread(self._look_safely)
        return self.seen

    def look(self) -> None:
        """Look at the journal now."""
        self._begun = self._monotonic()
        counted = total(self._journal / "counters")
        backlog, oldest = waiting_segments(self._journal)
        life = sum(counted[name] for name in _SIGNS_OF_LIFE)
        if life != self._life:
            self._life, self._alive_at = life, self._monotonic()
        self.seen = Seen(
            counted,
            backlog,
            0.0 if oldest is None else max(0.0, self._now() - oldest),
            self._monotonic() - self._alive_at > STALLED_SECONDS,
        )

    def close(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _look_for_ever(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look_safely()

    def _look_safely(self) -> None:
        try:
            self.look()
        except Exception as error:
            # What was seen last stays; a thread that ended would show it for ever.
            if type(error).__name__ not in self._told:
                self._told.add(type(error).__name__)
                self._on_error(type(error).__name__)
