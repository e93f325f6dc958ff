"""Structured logs of the collector: one JSON object a line on stderr, without personal data.

No address, user agent, path, query, header or body is ever an entry's field; an org is named only when it exists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
import structlog

_encode = msgspec.json.Encoder().encode


def _json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return _encode(dict(event)).decode()


def logger() -> Any:
    """The collector's logger. Its own configuration: the host program's is left alone."""
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _json,
        ],
    )


def access_sink() -> Callable[[list[dict[str, Any]]], None]:
    """Where access log entries go: a batch is one write."""
    log = structlog.PrintLogger(sys.stderr)

    def write(entries: list[dict[str, Any]]) -> None:
        log.msg("\n".join(_encode(entry).decode() for entry in entries))

    return write
