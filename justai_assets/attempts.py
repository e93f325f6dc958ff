"""A block or a call that is tried again when that may help, by stamina, which is set up here and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
Retried = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float]


def attempts(
    on: Retried, most: int, *, first_wait: float = 0.0, longest_wait: float = 0.0
) -> Iterator[stamina.Attempt]:
    """The attempts of a block, each to be used in `with`; the last one's error is let through.

    Args:
        on: the errors after which the block is tried again, or a function that says so, or how many seconds to wait.
        most: attempts in all.
        first_wait: seconds before the second attempt; doubled each time, with up to as much again at random.
        longest_wait: seconds at most between two attempts.
    """
    # stamina's own hook prints to the standard output, into what a command answers, and quotes the error.
    set_on_retry_hooks((_log,))
    yield from stamina.retry_context(
        on, attempts=most, timeout=None, wait_initial=first_wait, wait_max=longest_wait, wait_jitter=first_wait
    )


def tried(call: Callable[[], T], on: Retried, most: int, *, first_wait: float = 0.0, longest_wait: float = 0.0) -> T:
    """`call()`, tried again as `attempts` says."""
    for attempt in attempts(on, most, first_wait=first_wait, longest_wait=longest_wait):
        with attempt:
            return call()
    raise AssertionError("the last attempt returns or raises")


def _log(details: RetryDetails) -> None:
    """Say that something is tried again. The text of an error stays out: it may quote a record."""
    error = details.caused_by
    _LOG.info("try %d failed (%s)", details.retry_num, getattr(error, "code", type(error).__name__))
