"""What the reader of the landing zone could not take, refused at the door: its sender can still mend it there.

The reader types a whole day in one pass, and skips what it does not need; but a field it descends into must be an
object, and a whole number must fit its widest type.
"""

from __future__ import annotations

from typing import Any, Final

from justai_assets.collector.bodies import RefusedBodyError

OBJECTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "iterable_webhooks": (("dataFields",),),
    "journey_webhooks": (),
    "chameleon_webhooks": (
        ("data",),
        ("data", "profile"),
        *(("data", thing) for thing in ("tour", "survey", "embed", "demo")),
    ),
}
"""Door → fields that are an object, null or absent; an outer one before those in it."""

MAX_INTEGER: Final = 10**38 - 1
"""The reader's numbers have 38 digits."""

# Ten times as fast as a regular expression, on every body.
_ONE_DIGIT: Final = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS: Final = b"0" * 39


def refuse_wrong_shape(door: str, body: dict[str, Any]) -> None:
    """Raise RefusedBodyError `bad_body` for a field that is not of the documented type.

    >>> refuse_wrong_shape("iterable_webhooks", {"dataFields": None})
    """
    for path in OBJECTS[door]:
        value: Any = body
        for name in path:
            value = value.get(name) if value is not None else None
        if value is not None and not isinstance(value, dict):
            raise RefusedBodyError("bad_body")


def refuse_long_integers(raw: bytes, body: dict[str, Any]) -> None:
    """Raise RefusedBodyError `number_out_of_range` for a whole number of more than 38 digits, anywhere."""
    # Digits in a text look the same from outside; only then is every value looked at.
    if _MANY_DIGITS in raw.translate(_ONE_DIGIT) and _holds_long_integer(body):
        raise RefusedBodyError("number_out_of_range")


def _holds_long_integer(body: dict[str, Any]) -> bool:
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
            return True
    return False
