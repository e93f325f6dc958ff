"""How long a share is waited for, and how often it is asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx
import stamina

from justai_assets.sources.delta_share.errors import AddressExpiredError, ShareMovedError, TransientShareError

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
        request_seconds: for one whole answer, however steadily it drips.
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

    def retrying(self, once: Callable[[], T]) -> T:
        """`once()`, again after a transient error, as long as patience lasts."""
        attempts = stamina.retry_context(
            on=self._wait,
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.first_wait,
            wait_max=self.longest_wait,
            wait_jitter=self.first_wait,
        )
        for attempt in attempts:
            with attempt:
                return once()
        raise AssertionError("stamina either returns or raises")

    def _wait(self, error: Exception) -> bool | float:
        # A file that moved or whose address died needs a new list, not the same request again.
        if not isinstance(error, TransientShareError) or isinstance(error, ShareMovedError | AddressExpiredError):
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self.longest_wait else False
