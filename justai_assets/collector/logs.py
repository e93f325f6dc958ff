"""Structured logs of the collector: one JSON object a line on stderr, without personal data.

No address, user agent, path, query, header or body is ever an entry's field; an org is named only when it exists.

A log must not be able to stop work. Whoever logs puts a line into a bounded queue and goes on; a thread of its own
writes the queue to stderr. A full disk, a closed pipe or a reader that no longer reads costs lines, which are counted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import msgspec
import structlog

QUEUED_LINES: Final = 20_000
STDERR: Final = 2
FLUSH_SECONDS: Final = 1.0
"""How long the end of a process waits for its last lines."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


class LogWriter:
    """A queue of lines and the thread that writes them; `put` never raises and never waits.

    Args:
        descriptor: where lines go.
        limit: lines that wait at most; what comes on top is dropped and counted.
    """

    def __init__(self, descriptor: int = STDERR, limit: int = QUEUED_LINES) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self.dropped = 0
        self._thread = threading.Thread(target=self._write_for_ever, name="log", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue a line, without its line feed."""
        if len(self._lines) >= self._limit:
            self.dropped += 1
            return
        self._idle.clear()
        self._lines.append(line)
        self._wake.set()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until every line is written or dropped, but no longer than that; whether it was so."""
        return self._idle.wait(seconds)

    def _write_for_ever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                batch = [self._lines.popleft() for _ in range(min(len(self._lines), 500))]
                try:
                    _write_all(self._descriptor, b"\n".join(batch) + b"\n")
                except OSError:
                    # A full disk or a closed pipe. The next lines are tried again: it may pass.
                    self.dropped += len(batch)
            if not self._lines:
                self._idle.set()


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


_writers: dict[int, LogWriter] = {}


def writer() -> LogWriter:
    """The writer of this process; a fork starts with one of its own, because a thread does not go with it."""
    found = _writers.get(os.getpid())
    if found is None:
        _writers.clear()
        found = _writers[os.getpid()] = LogWriter()
    return found


class _Lines:
    """What structlog writes to."""

    def msg(self, line: str) -> None:
        writer().put(line.encode("utf-8", "replace"))

    debug = info = warning = error = critical = exception = log = msg


def _line(facts: dict[str, Any]) -> bytes:
    """A line; of facts that cannot be written as JSON, as good as can be."""
    try:
        return _encode(facts)
    except Exception:
        # Lone surrogates, of a file's name that is not UTF-8. The name of the event must come through.
        return _encode({name: str(value).encode(errors="backslashreplace").decode() for name, value in facts.items()})


def _json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return _line(dict(event)).decode()


def logger() -> Any:
    """The collector's logger. Its own configuration: the host program's is left alone."""
    return structlog.wrap_logger(
        _Lines(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _json,
        ],
    )


def access_sink() -> Callable[[list[dict[str, Any]]], None]:
    """Where access log entries go."""

    def write(entries: list[dict[str, Any]]) -> None:
        # An entry is a line of the queue: a batch that counted as one would let the queue hold a thousand times more.
        for entry in entries:
            writer().put(_line(entry))

    return write


class QueueHandler(logging.Handler):
    """Python's own logging into the same queue: what the server beneath us says must not stop work either."""

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        facts = {"level": record.levelname.lower(), "event": "server", "message": record.getMessage()}
        writer().put(_line(facts))


SERVER_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"queue": {"class": "justai_assets.collector.logs.QueueHandler"}},
    "loggers": {"_granian": {"handlers": ["queue"], "level": "WARNING", "propagate": False}},
}
"""Configuration of the server's logging."""
