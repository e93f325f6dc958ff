"""How long a request may take, how many bytes it may bring, and how often it is tried again.

The timeouts of httpx are between two pieces: a server that sends a byte now and then, be it of the headers or of a
token, holds a client for ever. Here the sockets themselves know the deadline, and look up once a second whether the
run has ended.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from threading import Event
from typing import Any, TypeVar

import httpcore
import httpx

from justai_assets.attempts import attempts
from justai_assets.sources.delta_share.share_errors import (
    AddressExpiredError,
    BadAnswerError,
    ShareMovedError,
    StoppedError,
    TransientShareError,
)


class _WithoutQueries(logging.Filter):
    """httpx logs every address at INFO, and the query of ours is the key to the file."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(one.copy_with(query=None) if isinstance(one, httpx.URL) else one for one in record.args)
        return True


_FILTER = _WithoutQueries()


def hide_addresses() -> None:
    """Keep the queries of addresses out of httpx's log, for the whole process."""
    # addFilter ignores a filter that is there already.
    logging.getLogger("httpx").addFilter(_FILTER)


LOOK_UP_SECONDS = 1.0


@dataclass
class Limit:
    """What is left to the request of this thread.

    Attributes:
        ends_at: by the monotonic clock, on which no row depends.
        bytes_left: that may still arrive.
        stop: set when nobody waits for the answer any more.
    """

    ends_at: float
    bytes_left: int
    stop: Event | None = None

    def wait(self, timeout: float | None) -> float:
        """Seconds that the next operation may take.

        Raises:
            httpcore.ReadTimeout: none are left.
            StoppedError: nobody waits any more.
        """
        if self.stop is not None and self.stop.is_set():
            raise StoppedError("the request was given up because the run ends")
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the whole answer took too long")
        return left if timeout is None else min(timeout, left)


_LIMIT: ContextVar[Limit | None] = ContextVar("share_request_limit", default=None)


@contextmanager
def within(seconds: float, most_bytes: int, stop: Event | None = None) -> Iterator[None]:
    """Bound what the clients of `limited` do in this thread inside the block."""
    token = _LIMIT.set(Limit(time.monotonic() + seconds, most_bytes, stop))
    try:
        yield
    finally:
        _LIMIT.reset(token)


def limited(client: httpx.Client) -> httpx.Client:
    """The client, whose connections keep to `within`; proxies and certificates are as they were."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # No public place to hand a network to a client that still finds its proxies in the environment.
            pool = transport._pool
            pool._network_backend = _Network(pool._network_backend)
    return client


class _Network(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limit = _LIMIT.get()
        timeout = timeout if limit is None else limit.wait(timeout)
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = _LIMIT.get()
        if limit is None:
            return self._inner.read(max_bytes, timeout)
        silent_until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = limit.wait(None if silent_until is None else silent_until - time.monotonic())
            try:
                data = self._inner.read(max_bytes, min(max(left, 0.001), LOOK_UP_SECONDS))
            except httpcore.ReadTimeout:
                if silent_until is not None and time.monotonic() >= silent_until:
                    raise
                continue
            limit.bytes_left -= len(data)
            if limit.bytes_left < 0:
                raise BadAnswerError(
                    "the answer is larger than any of its kind can be", mend="check the profile's endpoint"
                )
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limit = _LIMIT.get()
        self._inner.write(buffer, timeout if limit is None else limit.wait(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _LIMIT.get()
        timeout = timeout if limit is None else limit.wait(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


T = TypeVar("T")


@dataclass(frozen=True)
class RequestPolicy:
    """How long to wait, and how often.

    Attributes:
        attempts: tries of one request in all.
        first_wait: seconds before the second try; doubled each time, with up to half as much again.
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
        """`once()`, again after a transient error, as long as the policy allows.

        Args:
            once: asks.
            stop: ends the waiting between two tries when it is set.

        Raises:
            StoppedError: `stop` was set.
            TransientShareError: of the last try; with `retry_after` where the server asks for a longer wait than ours.
        """
        stop, wait = stop or Event(), 0.0
        for attempt in attempts(
            self._may_pass, self.attempts, first_wait=self.first_wait, longest_wait=self.longest_wait
        ):
            with attempt:
                # Here and not by stamina, whose wait lasts to its end: this one ends with the run.
                if stop.wait(wait):
                    raise StoppedError("the request was given up because the run ends")
                try:
                    return once()
                except TransientShareError as error:
                    wait = self._wait(error, attempt.next_wait)
                    raise
        raise AssertionError("the last try returns or raises")

    def _may_pass(self, error: Exception) -> bool | float:
        """What stamina asks: whether to try again, after 0 seconds of its own waiting."""
        # A file that moved or whose address died needs a new list, not the same request again.
        if not isinstance(error, TransientShareError) or isinstance(error, ShareMovedError | AddressExpiredError):
            return False
        return False if (error.retry_after or 0.0) > self.longest_wait else 0.0

    def _wait(self, error: TransientShareError, backoff: float) -> float:
        if error.retry_after is not None:
            return error.retry_after
        return min(self.longest_wait, backoff * random.uniform(1, 1.5))  # noqa: S311 - spreads requests
