"""A load generator for one small POST: raw sockets and epoll in one process, because an HTTP client library would be
the bottleneck of what it measures.

Closed loop (each connection sends again once it is answered) finds the peak. Paced (requests are due at fixed times,
and latency counts from when one was due) tells how long senders wait at a given rate.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class LoadResult:
    """What a run saw.

    Attributes:
        seconds: how long it ran.
        statuses: answers by status; 0 stands for a connection that broke without an answer.
        latencies: seconds of each answer, in order of arrival.
    """

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """How many requests were answered."""
        return sum(count for status, count in self.statuses.items() if status)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The latency in seconds that `share` (0 to 1) of the answers stayed within."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.due = 0.0
        self.request = 0


def run_load(
    address: tuple[str, int],
    request: Callable[[int], bytes],
    *,
    connections: int,
    seconds: float,
    per_second: float | None = None,
    on_answer: Callable[[int, int, bytes], None] | None = None,
    limit: int | None = None,
) -> LoadResult:
    """Send requests and read every answer.

    Args:
        address: host and port.
        request: the n-th request as bytes, n from 0.
        connections: kept alive and used one request at a time.
        seconds: how long to send.
        per_second: pace; None sends as fast as answers come.
        on_answer: called with n, the status and the answer's body.
        limit: send at most so many requests.
    """
    result = LoadResult()
    poll = select.epoll()
    open_: dict[int, _Connection] = {}
    for _ in range(connections):
        connection = _Connection(address)
        open_[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
    idle = list(open_.values())
    begun = time.perf_counter()
    end = begun + seconds
    sent = 0
    try:
        while open_:
            now = time.perf_counter()
            more = now < end and (limit is None or sent < limit)
            while idle and more:
                due = now if per_second is None else begun + sent / per_second
                if due > now:
                    break
                connection = idle.pop()
                connection.due, connection.request = due, sent
                if not _send(connection, request(sent)):
                    _drop(connection, open_, poll, result)
                sent += 1
                more = limit is None or sent < limit
            if not more and len(idle) == len(open_):
                break
            wait = 0.2 if per_second is None or not idle or not more else begun + sent / per_second - now
            for descriptor, _ in poll.poll(max(0.0, min(wait, 0.2))):
                connection = open_[descriptor]
                answer = _receive(connection)
                if answer is None:
                    _drop(connection, open_, poll, result)
                elif answer:
                    status, body = answer
                    result.statuses[status] += 1
                    result.latencies.append(time.perf_counter() - connection.due)
                    idle.append(connection)
                    if on_answer is not None:
                        on_answer(connection.request, status, body)
            if now > end + 30:
                break
    finally:
        for connection in open_.values():
            connection.socket.close()
        poll.close()
    result.seconds = time.perf_counter() - begun
    return result


def _send(connection: _Connection, content: bytes) -> bool:
    try:
        # A request of a few kilobytes fits the socket's buffer of an idle connection.
        return connection.socket.send(content) == len(content)
    except OSError:
        return False


def _receive(connection: _Connection) -> tuple[int, bytes] | tuple[()] | None:
    """Status and body; () while the answer is incomplete; None when the connection is gone."""
    try:
        chunk = connection.socket.recv(65536)
    except BlockingIOError:
        return ()
    except OSError:
        return None
    if not chunk:
        return None
    buffer = connection.buffer + chunk
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        connection.buffer = buffer
        return ()
    at = buffer.find(b"content-length: ", 0, head_end)
    length = int(buffer[at + 16 : buffer.find(b"\r\n", at)]) if at >= 0 else 0
    if len(buffer) < head_end + 4 + length:
        connection.buffer = buffer
        return ()
    connection.buffer = b""
    return int(buffer[9:12]), buffer[head_end + 4 :]


def _drop(connection: _Connection, open_: dict[int, _Connection], poll: select.epoll, result: LoadResult) -> None:
    del open_[connection.socket.fileno()]
    poll.unregister(connection.socket)
    connection.socket.close()
    result.statuses[0] += 1


def post(path: str, headers: dict[str, str], body: bytes, *, host: str = "localhost") -> bytes:
    """One HTTP/1.1 POST as bytes."""
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body
