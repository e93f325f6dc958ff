"""What makes two webhook receipts the same event. Ids are computed, so that a redelivered event is the same event.

A source says in its `spec.py` which of three ids its events have:

- the sha256 of the canonical body (Iterable, Generate);
- the id that the sender gives the event, and the sha256 of the canonical body where it gives none (Chameleon);
- the sha256 of the canonical body and the receipt, where a body cannot tell a repeat from a redelivery (Journey).

The canonical form of a body is JSON with keys sorted at every level, no white space between tokens, UTF-8, strings with
the fewest escapes: what Python's `json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` writes,
down to the exponents of floats, so that a writer elsewhere can compute the same id. `1` and `1.0` stay different,
because the sender wrote them differently.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from justai_assets.sources.registry import envelopes_of

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(body: Any) -> bytes:
    """The canonical form of a decoded JSON value; equal values give equal bytes.

    >>> canonical({"b": [1, None], "a": "é"}).decode()
    '{"a":"é","b":[1,null]}'
    """
    # A lone surrogate cannot be written in UTF-8; a reader that lets one pass still gets an id.
    return _encode(body).encode("utf-8", "surrogatepass")


def event_id(door: str, body: dict[str, Any], receipt: str, *, canonical_body: bytes | None = None) -> str:
    """The id of one event.

    Args:
        door: a source that lands envelopes.
        body: the decoded body.
        receipt: what tells one receipt from every other, for a source that needs it. The collector names the
            journal record; a reader that finds an envelope without an id passes its `received_at`.
        canonical_body: `canonical(body)`, where the caller has it already.

    Returns:
        64 hex digits, or the id that the sender gave the event.

    Raises:
        UnknownSourceError: the source lands no envelopes.
    """
    envelopes = envelopes_of(door)
    if (own := envelopes.own_id(body)) is not None:
        return own
    content = canonical(body) if canonical_body is None else canonical_body
    if envelopes.is_each_receipt_new:
        # Canonical JSON holds no raw line feed, so body and receipt cannot run into each other.
        content = content + b"\n" + receipt.encode()
    return hashlib.sha256(content).hexdigest()
