"""How long a whole request may take and how many bytes it may bring, whatever its server does.

The timeouts of httpx are between two pieces: a server that sends a byte now and then, be it of the headers or of a
token, holds a client for ever. Here the sockets themselves know the deadline, and look up once a second whether the
run has ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from threading import Event
from typing import Any

import httpcore
import httpx

from justai_assets.sources.delta_share.errors import BadAnswerError, StoppedError

LOOK_UP_SECONDS = 1.0

MAX_PAGES = 10_000
"""Of one list."""


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


class PageTurns:
    """The pages of one list, which must come to an end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def goes_on(self, token: str) -> bool:
        """Whether there is a next page.

        Raises:
            BadAnswerError: its token was given before, or there are more pages than any list of ours can have.
        """
        if not token:
            return False
        if token in self._seen or len(self._seen) >= MAX_PAGES:
            raise BadAnswerError("the server's list of pages does not end", mend="report it to the provider")
        self._seen.add(token)
        return True
