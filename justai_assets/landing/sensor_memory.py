"""Where a door's memory of an org is kept: one small object per door and org in the lake, named by its content.

A sensor's cursor holds only the names. A memory is written before what it remembers is reported, under a new name, and
counts only once the cursor says so: after a crash in between, the old name still stands. The days about to be reported
are written down as well (the intent), because landing may go back to what it was before the next tick: they are
reported again, whatever they hold. An object that is lost or damaged is a door that remembers nothing: everything is
reported again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Final

from justai_assets.contract.errors import StorageError
from justai_assets.landing.day_changes import Key, Mark, Memory, Waiting
from justai_assets.landing.landing_paths import UNDATED
from justai_assets.orgs.org_model import SLUG
from justai_assets.storage import Root

FOLDER: Final = "_sensors"
"""Below the lake root; no org can have this name."""


def encode(memory: Memory) -> bytes:
    """A memory as JSON; the same memory gives the same bytes.

    >>> decode(encode(Memory())) == Memory()
    True
    """
    days = {
        _name(key): mark.listing if mark.listing == mark.version else f"{mark.listing} {mark.version}"
        for key, mark in memory.marks.items()
    }
    waiting = {_name(key): [one.listing, int(one.since.timestamp())] for key, one in memory.waiting.items()}
    start = {"start": memory.start.isoformat()} if memory.start else {}
    return json.dumps({"version": 1, "days": days, "waiting": waiting, **start}, sort_keys=True, indent=0).encode()


def decode(content: bytes) -> Memory:
    """A memory from what `encode` made. Raises ValueError for anything else."""
    try:
        parsed = json.loads(content)
        if parsed["version"] != 1:
            raise ValueError(f"version {parsed['version']} is not known")
        marks = {}
        for name, text in parsed["days"].items():
            listing, _, version = str(text).partition(" ")
            marks[_key(name)] = Mark(listing, version or listing)
        waiting = {
            _key(name): Waiting(str(listing), datetime.fromtimestamp(int(since), UTC))
            for name, (listing, since) in parsed["waiting"].items()
        }
        start = date.fromisoformat(parsed["start"]) if "start" in parsed else None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a memory: {type(error).__name__}") from None
    return Memory(marks, waiting, start)


def save(lake: Root, door: str, slug: str, memory: Memory) -> str:
    """Write a memory and return its name."""
    content = encode(memory)
    name = hashlib.blake2b(content, digest_size=10).hexdigest()
    lake.write(_path(door, slug, name), content)
    return name


def load(lake: Root, door: str, slug: str, name: str) -> Memory | None:
    """The memory of a name; None when it is lost or damaged."""
    try:
        content = lake.read(_path(door, slug, name))
        return decode(content) if hashlib.blake2b(content, digest_size=10).hexdigest() == name else None
    except (FileNotFoundError, ValueError):
        return None


def discard(lake: Root, door: str, slug: str, name: str) -> None:
    """Delete a memory that no cursor names any more; one that is already gone is no error."""
    lake.delete(_path(door, slug, name))


def discard_orphans(lake: Root, door: str, slug: str, *, keep: frozenset[str], before: datetime) -> int:
    """Delete memories that were written before a time and are not among those to keep: a crash left them behind."""
    orphans = [
        found.key
        for found in lake.list_flat(f"{FOLDER}/{door}/{slug}")
        if found.modified < before and found.name.removesuffix(".json") not in keep
    ]
    lake.delete(*orphans)
    return len(orphans)


def save_intent(
    lake: Root,
    door: str,
    tick: int,
    days: Mapping[str, Collection[Key]],
    owed: Mapping[str, Collection[Key]],
    *,
    slice_name: str = "",
) -> None:
    """Write down the days that the tick of a number is about to report, and those it still owes to a dead one.

    Every slice of the orgs has a sensor of its own, and an intent of its own.
    """
    content = {"version": 1, "tick": tick, "days": _named(days), "owed": _named(owed)}
    lake.write(_intent(door, slice_name), json.dumps(content).encode())


def load_intent(lake: Root, door: str, tick: int, *, slice_name: str = "") -> dict[str, set[Key]]:
    """The days that the tick of a number must report, whatever they hold.

    An intent of the same number is of a tick that died: its days were perhaps reported, its cursor never came. One of
    the number before was seen through, but for what it owed.
    """
    try:
        parsed = json.loads(lake.read(_intent(door, slice_name)))
        if parsed["version"] != 1 or parsed["tick"] not in {tick, tick - 1}:
            return {}
        found: dict[str, set[Key]] = {}
        for part in ("owed", "days") if parsed["tick"] == tick else ("owed",):
            for slug, names in parsed[part].items():
                found.setdefault(str(slug), set()).update(_key(name) for name in names)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found


def _named(days: Mapping[str, Collection[Key]]) -> dict[str, list[str]]:
    return {slug: sorted(_name(key) for key in keys) for slug, keys in sorted(days.items())}


def _intent(door: str, slice_name: str) -> str:
    return f"{FOLDER}/{door}/intent{'-' if slice_name else ''}{slice_name}.json"


def _path(door: str, slug: str, name: str) -> str:
    if not SLUG.fullmatch(slug) or not name.isalnum():
        raise StorageError(f"{slug!r} / {name!r} names no memory")
    return f"{FOLDER}/{door}/{slug}/{name}.json"


def _name(key: Key) -> str:
    return UNDATED if key is None else key.isoformat()


def _key(name: str) -> Key:
    return None if name == UNDATED else date.fromisoformat(name)
