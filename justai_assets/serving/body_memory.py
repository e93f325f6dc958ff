"""How many bytes of bodies a worker holds: a share for each org, and a small one for all whom nobody has verified yet.

A body that is read before its sender is known is charged to no org, because anybody may send one in any org's name. It
is charged to the address it comes from, which may hold half of what all unverified bodies may.
"""

from __future__ import annotations

from justai_assets.serving.collector_config import Limits

UNVERIFIED = "?"
"""Whose share it is until the sender is known; no org has this slug."""

ANONYMOUS = "|anonymous"
"""What follows an org's slug where its senders without a credential have a share of their own: half of the org's, in
which nothing of the org's known senders counts."""


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
        self._of_addresses: dict[str, int] = {}

    def hold(self, owner: str, size: int, address: str = "") -> bool:
        """Count bytes as held; False when that is more than the owner, or all together, may hold.

        Args:
            owner: an org's slug, with ANONYMOUS behind it or without, or UNVERIFIED.
            size: bytes.
            address: where they come from; it matters only while nobody has verified them.
        """
        limits = self._limits
        of_owner = self._held.get(owner, 0) + size
        if owner == UNVERIFIED:
            fits = of_owner <= limits.unverified_bytes and self.address_has_room(address, size)
        else:
            share = limits.in_flight_bytes * limits.org_in_flight_share
            if owner.endswith(ANONYMOUS):
                share = max(share / 2, limits.body_bytes)
            fits = of_owner <= share and self._known + size <= limits.in_flight_bytes
        if fits:
            self._held[owner] = of_owner
            if owner == UNVERIFIED:
                self._of_addresses[address] = self._of_addresses.get(address, 0) + size
            else:
                self._known += size
        return fits

    def release(self, owner: str, size: int, address: str = "") -> None:
        """Give held bytes back."""
        _take(self._held, owner, size)
        if owner == UNVERIFIED:
            _take(self._of_addresses, address, size)
        else:
            self._known -= size

    def address_has_room(self, address: str, size: int) -> bool:
        """Whether an address may hold so many unverified bytes more. One body fits in any case."""
        limits = self._limits
        return self._of_addresses.get(address, 0) + size <= max(limits.unverified_bytes / 2, limits.body_bytes)

    def heaviest_address(self) -> str:
        """The address that holds the most unverified bytes."""
        return max(self._of_addresses, key=self._of_addresses.__getitem__, default="")

    def begin_large(self, owner: str) -> bool:
        """Whether an org, or its anonymous senders, may have one more large body under way; if so it has."""
        count = self._large.get(owner, 0)
        if count >= self._limits.org_large_bodies:
            return False
        self._large[owner] = count + 1
        return True

    def end_large(self, owner: str) -> None:
        """A large body is done with."""
        _take(self._large, owner, 1)


def _take(counts: dict[str, int], key: str, amount: int) -> None:
    counts[key] -= amount
    if not counts[key]:
        del counts[key]
