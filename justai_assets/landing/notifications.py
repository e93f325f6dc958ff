"""Hints: what a queue of S3 notifications says was written, kept as small notes in the lake for the doors' sensors.

A hint names a folder to list; the listing is the truth. A lost hint costs an hour (the next sweep), a repeated one a
listing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

from justai_assets.landing.day_changes import Key
from justai_assets.landing.landing_paths import UNDATED, partition_of
from justai_assets.landing.org_changes import Hints
from justai_assets.landing.sensor_memory import FOLDER
from justai_assets.orgs.org_model import SLUG
from justai_assets.sources.registry import landings
from justai_assets.storage import LandedObject, Root

NOTES: Final = f"{FOLDER}/hints"
ALIVE: Final = "alive"
ALIVE_FOR: Final = timedelta(minutes=10)
"""A queue that was read to its end within this time spares the doors the listing of recent days."""

NOTE_AGE: Final = timedelta(hours=2)
"""A note older than this has been overtaken by a full sweep."""

_WHOLE = "*"


@dataclass(frozen=True, order=True)
class Hint:
    """Something was written or deleted there.

    Attributes:
        door: the door.
        slug: the org.
        folder: the value of the event_date folder; `*` for an object beside the days, a manifest for example.
    """

    door: str
    slug: str
    folder: str


def read_message(body: str, root: Root) -> set[Hint] | None:
    """The hints in a message: S3 notifications as they are, wrapped by SNS, or from EventBridge; None if it is none.

    Objects of another bucket, outside the root's prefix or of no door are no hint. S3's own test message holds none.
    """
    try:
        return {hint for bucket, key in _objects(json.loads(body)) if (hint := _hint(root, bucket, key))}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_note(lake: Root, number: int, hints: Iterable[Hint]) -> None:
    """Keep hints as a note. Numbers rise."""
    content = json.dumps(sorted([hint.door, hint.slug, hint.folder] for hint in hints))
    lake.write(f"{NOTES}/{number:015d}.json", content.encode())


def write_receipts(lake: Root, number: int, receipts: Sequence[str]) -> None:
    """Keep what deletes the messages of a note, until the reader's cursor shows the note."""
    lake.write(_receipts(number), json.dumps(list(receipts)).encode())


def read_receipts(lake: Root, number: int) -> list[str]:
    """What deletes the messages of a note; nothing when it is lost or damaged: they come back and are noted again."""
    try:
        return [str(one) for one in json.loads(lake.read(_receipts(number)))]
    except (ValueError, TypeError, FileNotFoundError):
        return []


def discard_receipts(lake: Root, number: int) -> None:
    """Forget the receipts of a note, once their messages are deleted."""
    lake.delete(_receipts(number))


def mark_alive(lake: Root) -> None:
    """Note that the queue has just been read to its end."""
    lake.write(f"{NOTES}/{ALIVE}", b"{}")


def discard_notes(lake: Root, now: datetime) -> None:
    """Delete the notes that a full sweep has overtaken, and receipts that ran out."""
    lake.delete(
        *(found.key for found in lake.list_flat(NOTES) if found.name != ALIVE and found.modified < now - NOTE_AGE)
    )


def read_hints(lake: Root, door: str, *, after: int, now: datetime) -> Hints:
    """What the notes after a number say of a door. A damaged note says nothing: the hourly sweep stands behind it."""
    days: dict[str, set[Key]] = {}
    sweep: set[str] = set()
    last = after
    is_alive = False
    for found in sorted(lake.list_flat(NOTES), key=lambda one: one.key):
        if found.name == ALIVE:
            is_alive = found.modified > now - ALIVE_FOR
        if _number(found) <= after:
            continue
        last = max(last, _number(found))
        for hint in _read_note(lake, found):
            if hint.door != door:
                continue
            if hint.folder == _WHOLE:
                sweep.add(hint.slug)
            else:
                days.setdefault(hint.slug, set()).add(_key(hint.folder))
    return Hints(days, sweep, last, is_alive)


def _read_note(lake: Root, found: LandedObject) -> list[Hint]:
    try:
        return [Hint(*(str(part) for part in parts)) for parts in json.loads(lake.read(found.key))]
    except (ValueError, TypeError, FileNotFoundError):
        return []


def _objects(message: Any) -> Iterable[tuple[str, str]]:
    if isinstance(message.get("Message"), str):
        yield from _objects(json.loads(message["Message"]))
    elif "Records" in message:
        for record in message["Records"]:
            yield str(record["s3"]["bucket"]["name"]), unquote_plus(str(record["s3"]["object"]["key"]))
    elif message.get("Event") != "s3:TestEvent":
        detail: Mapping[str, Any] = message["detail"]
        yield str(detail["bucket"]["name"]), str(detail["object"]["key"])


def _hint(root: Root, bucket: str, key: str) -> Hint | None:
    if root.is_local:
        return None
    mine, _, prefix = root.url.removeprefix("s3://").partition("/")
    if bucket != mine or not key.startswith(f"{prefix}/" if prefix else ""):
        return None
    relative = key.removeprefix(f"{prefix}/") if prefix else key
    for door, landing in landings().items():
        folder = landing.prefix
        slug, slash, rest = relative.removeprefix(f"{folder}/").partition("/")
        if not relative.startswith(f"{folder}/") or not slash or not SLUG.fullmatch(slug):
            continue
        value = partition_of(relative)
        if value is None and "/" not in rest:
            return Hint(door, slug, _WHOLE)
        return Hint(door, slug, value) if value is not None and _is_folder(value) else None
    return None


def _is_folder(value: str) -> bool:
    try:
        return value == UNDATED or date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _receipts(number: int) -> str:
    return f"{NOTES}/receipts-{number:015d}.json"


def _key(folder: str) -> Key:
    return None if folder == UNDATED else date.fromisoformat(folder)


def _number(found: LandedObject) -> int:
    stem = found.name.removesuffix(".json")
    return int(stem) if stem.isdigit() else 0
