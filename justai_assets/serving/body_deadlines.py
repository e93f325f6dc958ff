"""How long a sender may take for its body: one clock for all requests of a worker.

A timer a request costs more than reading an ordinary body does, which is there with the head; so a sweep looks for
those that wait too long. A body may therefore take up to one sweep longer than its limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

GRACE_SECONDS = 0.25
"""An unverified body that is not here after so long may have to make room for others, whether something of it still
comes or not: a byte now and then would otherwise hold the place of all others."""


class SlowSenderError(Exception):
    """A body that did not arrive in time."""


class Patience:
    """The requests that wait for their bodies.

    Args:
        seconds: how long one may wait.
        monotonic: seconds that only grow.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self.monotonic = monotonic
        self.waiting: dict[asyncio.Task[object], float] = {}
        self.given_up: set[asyncio.Task[object]] = set()
        self._unverified: dict[asyncio.Task[object], str] = {}

    def with_sender(self) -> _Wait:
        """A block that may wait for a sender; it raises SlowSenderError when that takes too long."""
        return _Wait(self)

    def is_unverified(self, address: str) -> None:
        """The current request holds a part of a body whose sender is not known, and may have to make room."""
        task = asyncio.current_task()
        if task in self.waiting:
            self._unverified[task] = address

    def give_up_oldest(self, address: str) -> bool:
        """End the unverified body of an address that has been under way longest; False when all are in their grace."""
        own = asyncio.current_task()
        waits = [
            (self.waiting[task], task)
            for task, its_address in self._unverified.items()
            if its_address == address and task is not own and task not in self.given_up
        ]
        if not waits:
            return False
        since, task = min(waits, key=lambda one: one[0])
        if self.monotonic() - since < GRACE_SECONDS:
            return False
        self.given_up.add(task)
        task.cancel()
        return True

    async def sweep(self) -> None:
        """End waits that are over, for ever."""
        while True:
            await asyncio.sleep(min(1.0, self.seconds / 4))
            late = self.monotonic() - self.seconds
            for task, since in self.waiting.items():
                if since < late and task not in self.given_up:
                    self.given_up.add(task)
                    task.cancel()


class _Wait:
    __slots__ = ("_patience", "_task")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        task = asyncio.current_task()
        assert task is not None
        self._task = task

    def __enter__(self) -> None:
        self._patience.waiting[self._task] = self._patience.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        patience = self._patience
        del patience.waiting[self._task]
        patience._unverified.pop(self._task, None)
        if self._task in patience.given_up:
            patience.given_up.discard(self._task)
            # The cancellation was ours and may not have been delivered yet: either way it ends here.
            self._task.uncancel()
            raise SlowSenderError from None
