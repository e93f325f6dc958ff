"""How fast an org may send, over all workers, and how fast an address may be refused, without a lock between workers.

A request costs a token, one more for every kilobyte beyond its first four, and one for every so many values beyond the
first few: reading a body takes time in proportion to its length and to its structure, so a few large bodies are as much
of a flood as many small ones.

Each worker keeps a token bucket for every org and takes from it for its own requests at once, and for those that the
other workers admitted whenever it looks at their counters. Between two looks the workers together can admit a little
more than the limit; over time they cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

FREE_BYTES: Final = 4096
TOKEN_BYTES: Final = 1024
FREE_VALUES: Final = 256
TOKEN_VALUES: Final = 32


def cost_of(size: int, values: int = 0) -> int:
    """Tokens of a request whose body has so many bytes and values."""
    return 1 + max(0, size - FREE_BYTES) // TOKEN_BYTES + max(0, values - FREE_VALUES) // TOKEN_VALUES


MOST_BUCKETS: Final = 10_000
"""Addresses are chosen by strangers: beyond so many, all begin anew with a full bucket."""


class Rates:
    """Token buckets by org, or by address.

    Args:
        per_second: tokens a second.
        burst: the most tokens a bucket holds.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = max(burst, 1.0)
        self._buckets: dict[str, list[float]] = {}
        self._others: dict[str, int] | None = None

    def take(self, slug: str, now: float, cost: float = 1.0) -> float:
        """Take tokens; 0.0 when there were enough, otherwise the seconds until there will be.

        A request that costs more than a full bucket holds passes when the bucket is full, and leaves a debt.

        Args:
            slug: the org, or the address.
            now: a monotonic time in seconds.
            cost: tokens.
        """
        bucket = self._refilled(slug, now)
        needed = min(cost, self._burst)
        if bucket[0] >= needed:
            bucket[0] -= cost
            return 0.0
        return (needed - bucket[0]) / self._per_second

    def charge(self, slug: str, now: float, cost: float) -> None:
        """Take tokens for what turned out to cost more, whether there are any or not."""
        self._refilled(slug, now)[0] -= cost

    def charge_others(self, admitted: Iterable[tuple[str, int]], now: float) -> None:
        """Take what other workers admitted since the last call; the first call only looks.

        What they admitted before this worker began is nothing that it has to make up for.

        Args:
            admitted: org and how many tokens all other workers spent on it since they started.
            now: a monotonic time in seconds.
        """
        if self._others is None:
            self._others = dict(admitted)
            return
        for slug, count in admitted:
            new = count - self._others.get(slug, 0)
            if new > 0:
                bucket = self._refilled(slug, now)
                # Never deeper than one burst: a worker that was not looked at for long must not silence an org.
                bucket[0] = max(bucket[0] - new, -self._burst)
            self._others[slug] = count

    def _refilled(self, slug: str, now: float) -> list[float]:
        bucket = self._buckets.get(slug)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[slug] = [self._burst, now]
            return bucket
        bucket[0] = min(self._burst, bucket[0] + max(0.0, now - bucket[1]) * self._per_second)
        bucket[1] = now
        return bucket
