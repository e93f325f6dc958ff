"""How long a share is waited for, and how often it is asked again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import httpx

from justai_assets.sources.delta_share.errors import (
    AddressExpiredError,
    ShareMovedError,
    StoppedError,
    TransientShareError,
)

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often.

    Attributes:
        attempts: tries of one request in all.
        first_wait: seconds before the second try; doubled each time, with jitter.
        longest_wait: seconds at most between tries; a longer Retry-After ends the run with an error that names it.
        connect_seconds: until a connection stands.
        read_seconds: between two pieces of an answer.
        request_seconds: for one whole request, token, headers and all, however steadily it drips.
        file_seconds: for one whole file.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 120.0
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    request_seconds: float = 600.0
    file_seconds: float = 3600.0

    @property
    def timeout(self) -> httpx.Timeout:
        """The same, as httpx takes it."""
        return httpx.Timeout(self.read_seconds, connect=self.connect_seconds)

    def retrying(self, once: Callable[[], T], stop: Event | None = None) -> T:
        """`once()`, again after a transient error, as long as patience lasts.

        Args:
            once: asks.
            stop: ends the waiting between two tries when it is set.

        Raises:
            StoppedError: `stop` was set.
            TransientShareError: of the last try; with `retry_after` where the server asks for a longer wait than ours.
        """
        stop = stop or Event()
        for attempt in range(1, self.attempts + 1):
            try:
                return once()
            except TransientShareError as error:
                wait = self._wait(error, attempt)
                if wait is None or attempt == self.attempts:
                    raise
                _LOG.info("try %d of %d failed (%s), the next in %.1f s", attempt, self.attempts, error.code, wait)
            # stamina, which retries elsewhere, cannot be woken while it waits.
            if stop.wait(wait):
                raise StoppedError("the request was given up because the run ends")
        raise AssertionError("the last try returns or raises")

    def _wait(self, error: TransientShareError, attempt: int) -> float | None:
        # A file that moved or whose address died needs a new list, not the same request again.
        if isinstance(error, ShareMovedError | AddressExpiredError):
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest_wait else None
        jitter = random.random() * self.first_wait  # noqa: S311 - spreads requests; no row depends on it
        return min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1) + jitter)
