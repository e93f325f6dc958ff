"""Writing envelopes: one line of a webhook landing object.

    {"id": …, "received_at": RFC 3339 UTC, "query": {name: text}, "body": {…}}

An event that no credential vouched for (an org may allow that) also has `"authenticated": false`. A request that was
refused though its sender was known lies among the undated with a body of its own:

    {"rejected": reason, "status": HTTP status, "content_type": …, "bytes": length, "truncated": bool, "raw_base64": …}
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Final

import msgspec

from justai_assets.landing.lines import BOM

MAX_REJECTED_BYTES: Final = 64 << 10
"""How much of a refused body is kept: enough to see what it was; a flood of large ones must not fill the disk."""

_encode = msgspec.json.Encoder().encode


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-05T12:41:03.000250Z`; every one has the same length."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def envelope_line(
    identity: str, received_at: str, query: dict[str, str], body: bytes, *, authenticated: bool = True
) -> bytes:
    r"""One envelope with its line feed.

    The body's own bytes are kept, because decoding and encoding again would change numbers that a float cannot hold.
    Line feeds and carriage returns become spaces: in valid JSON they only ever stand between tokens. A byte order mark
    before the body goes.

    Args:
        identity: the event's id.
        received_at: as `timestamp` writes it.
        query: the parameters of the request's URL.
        body: one JSON value, valid, in UTF-8.
        authenticated: False marks an event that no credential vouched for.

    >>> envelope_line("1", "2026-01-05T12:41:03.000000Z", {}, b'{"a":\n1}')
    b'{"id":"1","received_at":"2026-01-05T12:41:03.000000Z","query":{},"body":{"a": 1}}\n'
    """
    body = body.removeprefix(BOM)
    if b"\n" in body or b"\r" in body:
        body = body.translate(_FLAT)
    mark = b"" if authenticated else b',"authenticated":false'
    return b'{"id":%b,"received_at":"%b","query":%b%b,"body":%b}\n' % (
        _encode(identity),
        received_at.encode(),
        _encode(query) if query else b"{}",
        mark,
        body,
    )


_FLAT = bytes.maketrans(b"\n\r", b"  ")


def rejected_line(
    receipt: str,
    received_at: str,
    query: dict[str, str],
    raw: bytes,
    *,
    reason: str,
    status: int,
    content_type: str,
    length: int,
) -> bytes:
    """The envelope of a request that was refused though its sender was known.

    Args:
        receipt: what tells this receipt from every other; part of the id, so that each refused request is counted.
        received_at: as `timestamp` writes it.
        query: the parameters of the request's URL.
        raw: what was read of the body; the first 64 KiB are kept.
        reason: why, a stable code.
        status: the HTTP status that was answered.
        content_type: what the sender called it.
        length: bytes of the whole body as far as known; more than was kept means truncated.
    """
    kept = raw[:MAX_REJECTED_BYTES]
    body = _encode(
        {
            "rejected": reason,
            "status": status,
            "content_type": content_type,
            "bytes": max(length, len(raw)),
            "truncated": len(kept) < max(length, len(raw)),
            "raw_base64": base64.b64encode(kept).decode(),
        }
    )
    identity = hashlib.sha256(kept + b"\n" + receipt.encode()).hexdigest()
    return envelope_line(identity, received_at, query, body)
