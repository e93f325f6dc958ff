"""How many connections one address may hold: idle ones beyond that are closed.

A worker serves so many connections at a time. Whoever opens them all, and sends nothing or a head or body byte by byte,
would keep everybody else waiting. The server beneath us knows no limit per address, so a look at this process's own
sockets closes what one address holds beyond its share and does not use. A connection is used while a request is under
way, unless its body has been waited for without a byte for QUIET_SECONDS.
"""

from __future__ import annotations

import os
import socket
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from starlette.types import Message, Receive

Address = tuple[str, int]
QUIET_SECONDS: Final = 1.0


class Connections:
    """The connections of one worker.

    Args:
        limit: the most that one address may hold.
        monotonic: seconds that only grow.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._busy: dict[Address, int] = {}
        self._waiting: dict[Address, float] = {}
        self._idle: dict[Address, float] = {}

    def begin(self, client: Address | None) -> None:
        """A request of that connection is under way."""
        if client is not None:
            self._busy[client] = self._busy.get(client, 0) + 1

    async def receive(self, client: Address | None, receive: Receive) -> Message:
        """The next part of a request's body; meanwhile the connection waits for its sender."""
        if client is None:
            return await receive()
        self._waiting[client] = self._monotonic()
        try:
            return await receive()
        finally:
            self._waiting.pop(client, None)

    def end(self, client: Address | None) -> None:
        """It has ended."""
        if client is None:
            return
        left = self._busy.get(client, 1) - 1
        if left:
            self._busy[client] = left
        else:
            self._idle[client] = self._monotonic()
            self._busy.pop(client, None)

    def close_idle(self) -> int:
        """Close what addresses hold beyond the limit and do not use; how many connections that were.

        Of an address's idle connections those go first that have been idle longest. One without a request yet is idle
        from the first look at it.
        """
        held: dict[str, list[tuple[int, Address]]] = defaultdict(list)
        for descriptor, peer in _accepted():
            held[peer[0]].append((descriptor, peer))
        # The event loop writes meanwhile: only single steps on what it writes.
        for gone in set(list(self._idle)) - {peer for connections in held.values() for _, peer in connections}:
            self._idle.pop(gone, None)
        closed = 0
        for connections in held.values():
            excess = len(connections) - self._limit
            idle = [
                (since, descriptor) for descriptor, peer in connections if (since := self._idle_since(peer)) is not None
            ]
            for _, descriptor in sorted(idle)[: max(0, excess)]:
                closed += _shut(descriptor)
        return closed

    def _idle_since(self, peer: Address) -> float | None:
        now = self._monotonic()
        waiting = self._waiting.get(peer)
        if waiting is not None:
            return waiting if now - waiting >= QUIET_SECONDS else None
        if peer in self._busy:
            self._idle.pop(peer, None)
            return None
        return self._idle.setdefault(peer, now)


def _accepted() -> Iterator[tuple[int, Address]]:
    """This process's sockets that somebody else has connected to, with the peer."""
    listening: set[int] = set()
    found: list[tuple[int, int, Address]] = []
    own = Path("/proc/self/fd")
    for name in [path.name for path in own.iterdir()] if own.is_dir() else ():
        try:
            with _borrowed(int(name)) as one:
                if one.type != socket.SOCK_STREAM or one.family not in {socket.AF_INET, socket.AF_INET6}:
                    continue
                port = int(one.getsockname()[1])
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    listening.add(port)
                else:
                    peer = one.getpeername()
                    found.append((int(name), port, (str(peer[0]), int(peer[1]))))
        except OSError:
            continue  # no socket, or gone by now
    yield from ((descriptor, peer) for descriptor, port, peer in found if port in listening)


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """A socket of this process under a second descriptor, which is closed in any case.

    Raises:
        OSError: the descriptor is no socket, or it is closed by now.
    """
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError(f"descriptor {descriptor} is no socket")
    copy = os.dup(descriptor)
    try:
        # The constructor does not close what it refuses.
        one = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with one:
        yield one


def _shut(descriptor: int) -> bool:
    """End a connection; the server sees its end and lets it go."""
    try:
        with _borrowed(descriptor) as one:
            one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True
