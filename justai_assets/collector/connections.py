"""How many connections one address may hold: idle ones beyond that are closed.

A worker serves so many connections at a time. Whoever opens them all, and sends nothing or a head byte by byte, would
keep everybody else waiting. The server beneath us knows no limit per address, so a look at this process's own sockets
closes what one address holds beyond its share and does not use: a connection with a request under way is left alone.
"""

from __future__ import annotations

import os
import socket
import stat
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Address = tuple[str, int]


class Connections:
    """The connections of one worker.

    Args:
        limit: the most that one address may hold.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy: dict[Address, int] = {}

    def begin(self, client: Address | None) -> None:
        """A request of that connection is under way."""
        if client is not None:
            self._busy[client] = self._busy.get(client, 0) + 1

    def end(self, client: Address | None) -> None:
        """It has ended."""
        if client is None:
            return
        left = self._busy.get(client, 1) - 1
        if left:
            self._busy[client] = left
        else:
            self._busy.pop(client, None)

    def close_idle(self) -> int:
        """Close what addresses hold beyond the limit and do not use; how many connections that were.

        Of an address's idle connections those with the greatest descriptors go first: as a rule the youngest.
        """
        held: dict[str, list[tuple[int, Address]]] = defaultdict(list)
        for descriptor, peer in _accepted():
            held[peer[0]].append((descriptor, peer))
        closed = 0
        for connections in held.values():
            excess = len(connections) - self._limit
            idle = [descriptor for descriptor, peer in sorted(connections) if peer not in self._busy]
            for descriptor in idle[::-1][: max(0, excess)]:
                closed += _shut(descriptor)
        return closed


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
