"""Reading a body within limits, and strict JSON: one object, valid UTF-8, every key once."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any, Final

import msgspec

from justai_assets.landing.event_id import canonical
from justai_assets.landing.lines import BOM

STATUS: Final = {
    "empty": 400,
    "not_json": 400,
    "invalid_utf8": 400,
    "lone_surrogate": 400,
    "number_out_of_range": 400,
    "duplicate_key": 400,
    "not_an_object": 400,
    "too_deep": 400,
    "too_complex": 400,
    "bad_body": 400,
    "query_too_long": 414,
    "body_too_large": 413,
    "content_type": 415,
    "content_encoding": 415,
}
"""Why a request of a known sender is refused, and the status that says so."""


class RefusedBodyError(Exception):
    """A body that is not an event; `reason` is a key of STATUS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_decode = msgspec.json.Decoder().decode


MAX_CONTAINERS: Final = 2_000
MAX_VALUES: Final = 5_000
"""Arrays and objects, and values, of a body. An event has a few dozen; each costs an object of the decoder's, and a
body of a megabyte of them would keep every other request waiting."""

MAX_SLOW_NUMBERS: Final = 100
"""Numbers with a large exponent, or with many digits and one: each takes the decoder as long as a hundred others."""

# Possessive: a match takes every byte that it reads. Otherwise a megabyte of digits is read again from each digit on.
_EXPONENT: Final = re.compile(rb"([\d.]++)[eE][+-]?(\d*+)|[\d.]++")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def containers_of(raw: bytes) -> int:
    """How many arrays and objects a body can hold at most; brackets in strings count too."""
    return raw.count(b"{") + raw.count(b"[")


def values_of(raw: bytes) -> int:
    """How many values a body can hold at most, arrays and objects among them; commas in strings count too."""
    return 1 + raw.count(b",") + containers_of(raw)


def _without_strings(raw: bytes) -> bytes:
    """A body without its strings; the end of a string that is never closed is taken for a part of it.

    Each step reads the body once, whatever it holds. Outside strings a backslash is no JSON, so it may go as well.
    """
    marked = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if marked.count(b'"') > 4 * (MAX_VALUES + MAX_CONTAINERS):
        # Keys and values: an array or object that no comma stands before counts too.
        raise RefusedBodyError("too_complex")
    return b"".join(marked.split(b'"')[::2])


def _slow_numbers_of(bare: bytes) -> int:
    """How many numbers outside strings take the decoder long."""
    numbers = islice(_EXPONENT.finditer(bare), 2 * MAX_VALUES)
    return sum(one[1] is not None and (len(one[2]) > 2 or len(one[1]) > 15) for one in numbers)


def _refuse_structure(raw: bytes, max_depth: int) -> None:
    """Judge a body by its bytes, before anything is decoded."""
    commas = raw.count(b",")
    if containers_of(raw) <= max_depth and commas < MAX_SLOW_NUMBERS:
        return
    bare = _without_strings(raw)
    if commas >= MAX_SLOW_NUMBERS and _slow_numbers_of(bare) > MAX_SLOW_NUMBERS:
        raise RefusedBodyError("too_complex")
    depth = 0
    # No further than as many brackets as a body may hold.
    for bracket in bare.translate(None, _NO_BRACKETS)[: 2 * MAX_CONTAINERS]:
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise RefusedBodyError("too_deep")
    if containers_of(bare) > MAX_CONTAINERS or bare.count(b",") > MAX_VALUES:
        raise RefusedBodyError("too_complex")


def parse(raw: bytes, max_depth: int) -> tuple[dict[str, Any], bytes]:
    """A body and its canonical form, without a byte order mark before it.

    Raises:
        RefusedBodyError: it is not one JSON object, or one that different readers would read differently.
    """
    raw = raw.removeprefix(BOM)
    if not raw.strip(b" \t\r\n"):
        raise RefusedBodyError("empty")
    _refuse_structure(raw, max_depth)
    try:
        body = _decode(raw)
    except RecursionError:
        raise RefusedBodyError("too_deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedBodyError(_why_undecodable(raw, str(error))) from None
    if not isinstance(body, dict):
        raise RefusedBodyError("not_an_object")
    try:
        form = canonical(body)
    except RecursionError:
        raise RefusedBodyError("too_deep") from None
    if _may_repeat_keys(raw, form):
        _refuse_repeated_keys(raw)
    return body, form


def _why_undecodable(raw: bytes, message: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    if "out of range" in message:
        return "number_out_of_range"
    try:
        json.dumps(json.loads(text, parse_constant=_no_constant), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "lone_surrogate"
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "not_json"
    return "number_out_of_range" if "umber" in message else "not_json"


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _may_repeat_keys(raw: bytes, form: bytes) -> bool:
    """Whether decoding may have dropped a key.

    A JSON text and its canonical form hold the same number of quotation marks: two a string and one an escaped mark,
    unless the text writes a mark as an escape by number. A dropped key takes at least two with it.
    """
    return raw.count(b'"') != form.count(b'"') or b"\\u0022" in raw


def _refuse_repeated_keys(raw: bytes) -> None:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise RefusedBodyError("duplicate_key")
        return found

    try:
        json.loads(raw, object_pairs_hook=each_once)
    except RecursionError:
        raise RefusedBodyError("too_deep") from None
    except ValueError:  # integers of thousands of digits
        raise RefusedBodyError("number_out_of_range") from None
