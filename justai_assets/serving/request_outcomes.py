"""One fate for every request: counted as it arrives, counted as it is answered, and written to the access log.

`received` is the sum of the fates plus the requests still under way, over all workers.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from justai_assets.serving.counters import Counters
from justai_assets.serving.service_logs import DROPPED

FATES: Final = {
    "accepted": "On disk; filed under its event date.",
    "undated": "On disk; its time is unusable, so it is filed among the undated.",
    "rejected": "The sender is known and the request is not an event; kept among the undated with its reason; 4xx.",
    "discarded": "No credential vouched for its sender and it is not an event; counted with its reason, not kept; 4xx.",
    "unauthorized": "Unknown org, or wrong or missing credential; nothing kept; 401.",
    "unverifiable": "Too large to check its signature, so its sender is not known; nothing kept; 413.",
    "rate_limited": "Its org sends faster than its limit, or too many large bodies at once; nothing kept; 429.",
    "unavailable": "Journal full or failing, memory used up, or org file or secret unreadable; nothing kept; 503.",
    "timed_out": "Its body did not arrive in time; nothing kept; 408.",
    "disconnected": "Its sender went away, or sent no sound chunks, before the body was complete; nothing kept; 400.",
    "page": "A page of the collector itself (health, metrics, OpenAPI).",
    "not_found": "No such path; 404.",
    "method_not_allowed": "The path is known, the method is not; 405.",
    "failed": "The collector's own error; nothing acknowledged; 500.",
}
"""What can become of a request."""

BUCKETS_MS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000)
_BOUNDS: Final = [bound * 1000 for bound in BUCKETS_MS]


class Accounts:
    """The books of one worker.

    Args:
        counters: this worker's.
        log: the access log's sink, called with lists of entries from a thread of its own, or None.
        refused_only: leave entries out of the log whose fate is `accepted` or `page`.
    """

    def __init__(
        self, counters: Counters, log: Callable[[list[dict[str, Any]]], None] | None, *, refused_only: bool
    ) -> None:
        self.counters = counters
        self._received = counters.slot("received")
        self._fates: dict[tuple[str | None, str, str], int] = {}
        self._times: dict[str, tuple[int, list[int]]] = {}
        self._log = log
        self._refused_only = refused_only
        self._entries: deque[tuple[float, str, str, str, str, int, int, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        if log is not None:
            self._thread.start()

    def arrived(self) -> None:
        """A request arrived."""
        self.counters.add_at(self._received)

    def admitted(self, slug: str, tokens: int) -> None:
        """A request took tokens of its org's rate."""
        self.counters.add(f"admitted|{slug}", tokens)

    def settle(
        self, fate: str, *, door: str, org: str | None, reason: str, status: int, size: int, seconds: float, at: float
    ) -> None:
        """A request has its fate; called once for each, before its answer is sent.

        Args:
            fate: a key of FATES.
            door: the door, or "" for none.
            org: the org when it exists; what a stranger wrote in a path is never repeated.
            reason: why it was rejected, or "".
            status: of the answer; 0 for none.
            size: bytes of the body that were read.
            seconds: since its arrival.
            at: Unix time of the answer.
        """
        counters = self.counters
        slot = self._fates.get((org, door, fate))
        if slot is None:
            slot = self._fates[org, door, fate] = counters.slot(f"requests|{org or ''}|{door}|{fate}")
        counters.add_at(slot)
        if reason:
            counters.add(f"rejected|{org or ''}|{door}|{reason}")
        microseconds = int(seconds * 1_000_000)
        total, buckets = self._times.get(door) or self._time_slots(door)
        counters.add_at(total, microseconds)
        counters.add_at(buckets[bisect_left(_BOUNDS, microseconds)])
        if self._log is None or (self._refused_only and fate in {"accepted", "page"}):
            return
        if len(self._entries) >= 20_000:
            # A log that nobody reads must not take the memory that requests need.
            counters.add(DROPPED)
            return
        self._entries.append((at, door, org or "", fate, reason, status, size, microseconds))

    def _time_slots(self, door: str) -> tuple[int, list[int]]:
        names = [*BUCKETS_MS, "+Inf"]
        slots = (
            self.counters.slot(f"microseconds|{door}"),
            [self.counters.slot(f"seconds|{door}|{name}") for name in names],
        )
        self._times[door] = slots
        return slots

    def close(self) -> None:
        """Write the rest of the access log."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _write(self) -> None:
        assert self._log is not None
        while True:
            stopping = self._stop.wait(0.25)
            while self._entries:
                batch = [self._entries.popleft() for _ in range(min(len(self._entries), 1000))]
                self._log([_entry(one) for one in batch])
                time.sleep(0)  # let the event loop have its turn between batches
            if stopping:
                return


def _entry(one: tuple[float, str, str, str, str, int, int, int]) -> dict[str, Any]:
    at, door, org, fate, reason, status, size, microseconds = one
    entry: dict[str, Any] = {"event": "request", "at": round(at, 3), "fate": fate, "status": status}
    entry |= {name: value for name, value in (("door", door), ("org", org), ("reason", reason)) if value}
    return entry | {"bytes": size, "ms": microseconds / 1000}
