"""What is left alone for a while because it failed: each time for twice as long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from justai_assets.serving.journal.segment_landing import Sealed
from justai_assets.serving.journal.uploads import Tag, source_of

REFUSED_SECONDS: Final = 5.0
"""How long what was refused is not tried at first. Longer than any wait between two passes, so that a pass that ends
early at refused groups does not meet the same ones first the next time."""
MAX_REFUSED_SECONDS: Final = 300.0
MAX_SOURCE_SECONDS: Final = 10.0
"""The most for a source. From the third time on the refused day waits longer, so that other days have their turn."""


class Backoff:
    """Groups by tag, and sources and segments by name, that are left alone."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._waits: dict[Tag | str, tuple[float, float]] = {}

    def avoided(self) -> set[Tag | str]:
        """What is left alone now."""
        now = self._monotonic()
        for over in [one for one, (until, _) in self._waits.items() if until + MAX_REFUSED_SECONDS < now]:
            # No longer there, or it begins anew.
            del self._waits[over]
        return {one for one, (until, _) in self._waits.items() if until > now}

    def add(self, whose: Tag | str, most: float = MAX_REFUSED_SECONDS) -> None:
        """Leave something alone, at most for so many seconds."""
        _, wait = self._waits.get(whose, (0.0, REFUSED_SECONDS / 2))
        wait = min(2 * wait, most)
        self._waits[whose] = self._monotonic() + wait, wait

    def take_note(self, sealed: Sealed) -> None:
        """What was written waits no more; what was refused does, and so does its source where it may pass by itself."""
        for tag in sealed.landed:
            self._waits.pop(tag, None)
            self._waits.pop(source_of(tag), None)
        for one in sealed.refused:
            if one.transient:
                self.add(source_of(one.tag), MAX_SOURCE_SECONDS)
            self.add(one.tag)
