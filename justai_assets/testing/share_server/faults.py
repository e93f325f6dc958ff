"""What can go wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Literal

Where = Literal["shares", "version", "metadata", "query", "changes", "files", "token"]
Kind = Literal[
    "status", "throttle", "truncate", "hang_up", "error_line", "corrupt", "damage", "short", "slow", "no_end"
]


@dataclass
class Fault:
    """One fault, used up after `times` matching requests.

    Attributes:
        where: which kind of request it strikes.
        kind: `status` answers `status`; `throttle` 429 with Retry-After; `truncate` ends an NDJSON body cleanly in its
            middle; `hang_up` closes the connection in mid-body; `error_line` puts an errorMessage into the
            endStreamAction of a 200; `corrupt` flips the bytes of a file, `damage` those of its pages
            only, so that its footer still reads; `short` serves half of a file as if it were
            whole; `slow` waits `seconds`, and again before each byte; `no_end` leaves out the endStreamAction.
        times: how many requests it strikes; -1 is all.
        skip: how many matching requests pass before it strikes.
        status: the status of `status`, and the httpStatusErrorCode of `error_line`.
        seconds: Retry-After of `throttle`, pause of `slow`.
        message: what the body says; `{authorization}` in it becomes the request's own header.
    """

    where: Where
    kind: Kind
    times: int = -1
    skip: int = 0
    status: int = 500
    seconds: float = 0.0
    message: str = "injected fault"


class Faults:
    """The faults that are set, handed out one request at a time."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Set a fault beside those that are set."""
        with self._lock:
            self._set.append(fault)

    def clear(self) -> None:
        """Set no fault any more."""
        with self._lock:
            self._set.clear()

    def strike(self, where: str) -> Fault | None:
        """The fault that this request meets, if any; it is used up by being asked for."""
        with self._lock:
            for fault in self._set:
                if fault.where != where or fault.times == 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1 if fault.times > 0 else 0
                return fault
        return None
