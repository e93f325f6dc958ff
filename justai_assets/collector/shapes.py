"""What the reader of the landing zone could not take, refused at the door: its sender can still mend it there.

The reader skips what it does not need; but a field it descends into must be an object.
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
