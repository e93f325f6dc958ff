"""How many bytes of bodies a worker holds: a share for each org, and a small one for all whom nobody has verified yet.

A body that is read before its sender is known is charged to no org, because anybody may send one in any org's name.
"""

from __future__ import annotations

from justai_assets.collector.config import Limits

UNVERIFIED = "?"
"""Whose share it is until the sender is known; no org has this slug."""


class Memory:
    """The bytes held by a worker.

    Args:
        limits: in_flight_bytes, org_in_flight_share, unverified_bytes, org_large_bodies.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[str, int] = {}
        self._known = 0
        self._large: dict[str, int] = {}

    def hold(self, owner: str, size: int) -> bool:
        """Count bytes as held; False when that is more than the owner, or all together, may hold."""
        limits = self._limits
        of_owner = self._held.get(owner, 0) + size
        if owner == UNVERIFIED:
            fits = of_owner <= limits.unverified_bytes
        else:
            fits = of_owner <= limits.in_flight_bytes * limits.org_in_flight_share
            fits = fits and self._known + size <= limits.in_flight_bytes
        if fits:
            self._held[owner] = of_owner
            self._known += size if owner != UNVERIFIED else 0
        return fits

    def release(self, owner: str, size: int) -> None:
        """Give held bytes back."""
        left = self._held[owner] - size
        if owner != UNVERIFIED:
            self._known -= size
        if left:
            self._held[owner] = left
        else:
            del self._held[owner]

    def begin_large(self, owner: str) -> bool:
        """Whether an org may have one more large body under way; if so it has."""
        count = self._large.get(owner, 0)
        if count >= self._limits.org_large_bodies:
            return False
        self._large[owner] = count + 1
        return True

    def end_large(self, owner: str) -> None:
        """A large body is done with."""
        self._large[owner] -= 1
        if not self._large[owner]:
            del self._large[owner]
