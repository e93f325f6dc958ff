"""Structured logs of the collector: one JSON object a line on stderr, without personal data.

No address, user agent, path, query, header or body is ever an entry's field; an org is named only when it exists.

A log must not be able to stop work. Whoever logs puts a line into a bounded queue and goes on; a thread of its own
writes the queue to stderr. A full disk, a closed pipe or a reader that no longer reads costs lines, which are counted.
"""

from __future__ import annotations

import copy
import io
import logging
import logging.config
import os
import sys
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

DROPPED: Final = "log_entries_dropped"
"""The counter of dropped lines."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


class LogWriter:
    """A queue of lines and the thread that writes them; `put` never raises and never waits for whoever reads.

    Args:
        descriptor: where lines go.
        limit: lines that wait at most; what comes on top is dropped and counted.
    """

    def __init__(self, descriptor: int = STDERR, limit: int = QUEUED_LINES) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[bytes] = deque()
        # Its lock may be taken again by the thread that has it: a signal's handler may log while its thread does.
        self._changed = threading.Condition()
        self._is_writing = False
        self._reported = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._write_for_ever, name="log", daemon=True)
        self._thread.start()

    def put(self, *lines: bytes) -> None:
        """Queue lines, without their line feeds."""
        with self._changed:
            room = max(0, self._limit - len(self._lines))
            self._lines.extend(lines[:room])
            self.dropped += max(0, len(lines) - room)
            self._changed.notify_all()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until every line is written or dropped, but no longer than that; whether it was so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._is_writing, seconds)

    def report_dropped(self, count: Callable[[str, int], None]) -> None:
        """Add the lines dropped since the last report to a counter; one thread of a process reports."""
        new = self.dropped - self._reported
        if new:
            self._reported += new
            count(DROPPED, new)

    def _write_for_ever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                batch = [self._lines.popleft() for _ in range(min(len(self._lines), 500))]
                self._is_writing = True
            failed = 0
            try:
                _write_all(self._descriptor, b"\n".join(batch) + b"\n")
            except OSError:
                # A full disk or a closed pipe. The next lines are tried again: it may pass.
                failed = len(batch)
            with self._changed:
                self.dropped += failed
                self._is_writing = False
                self._changed.notify_all()


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
        return _encode({name: ascii(value) if isinstance(value, str) else None for name, value in facts.items()})


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
        # An entry is a line of the queue: a batch that counted as one would have the queue hold a thousand times more.
        writer().put(*map(_line, entries))

    return write


class QueueHandler(logging.Handler):
    """Python's own logging into the same queue: what the server and libraries say must not stop work either.

    Only the server's messages are repeated: the text of any other may hold what a sender wrote.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        facts = {"level": record.levelname.lower(), "event": "server", "logger": record.name}
        if record.exc_info and record.exc_info[0]:
            facts["error"] = record.exc_info[0].__name__
        if record.name == SERVER:
            try:
                facts["message"] = record.getMessage()
            except Exception:
                facts["message"] = str(record.msg)
        writer().put(_line(facts | {"place": f"{record.module}:{record.lineno}"}))


class QueuedStderr(io.TextIOBase):
    """A stderr whose lines go into the queue: a traceback or a warning must not wait for a reader either."""

    def __init__(self) -> None:
        self._rest = ""

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, text: str) -> int:
        """Queue each line that is complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            # Of an exception its kind: its text may hold what a sender wrote. Frames are indented.
            said = line if line.startswith(" ") else line.partition(": ")[0]
            writer().put(_line({"event": "stderr", "message": said}))
        return len(text)

    def flush(self) -> None:
        """Wait a moment for the queue: whoever flushes may be about to end."""
        writer().flush()


SERVER: Final = "_granian"
SERVER_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"queue": {"class": "justai_assets.serving.service_logs.QueueHandler"}},
    "root": {"handlers": ["queue"], "level": "WARNING"},
    "loggers": {SERVER: {"handlers": ["queue"], "level": "WARNING", "propagate": False}},
}
"""Configuration of Python's logging in every process of the collector."""


def queue_everything() -> None:
    """For a process that is the collector's alone: what it logs or writes to stderr goes into the queue."""
    logging.config.dictConfig(copy.deepcopy(SERVER_LOGGING))
    sys.stderr = QueuedStderr()
