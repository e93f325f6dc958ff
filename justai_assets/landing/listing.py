"""Which objects a door has landed, day by day, and the fingerprint of a day."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from justai_assets.contract.foreign_names import safe_key
from justai_assets.landing.landing_paths import day_of, day_prefix, door_prefix
from justai_assets.landing.symlinks import split_links
from justai_assets.sources.registry import landing_of
from justai_assets.storage import LandedObject, Root

LANDING: Final = "JUSTAI_LANDING"
MANIFEST: Final = "manifest"
"""What Redshift's UNLOAD … MANIFEST writes last, beside the parts or at the door's prefix."""


def is_data(found: LandedObject, suffixes: tuple[str, ...]) -> bool:
    """Whether an object is data: it has a suffix of the door, is not hidden (`_…`, `.…`) and is not empty.

    `_SUCCESS`, `_started_1`, `_committed_1`, `manifest`, a zero-byte folder marker and foreign files are not.
    """
    return found.size > 0 and found.name.endswith(suffixes) and not found.name.startswith(("_", "."))


@dataclass(frozen=True)
class LandedDay:
    """The objects of one door, org and day, sorted by key.

    Attributes:
        data: what is read as records.
        signs: what lies beside it (manifests, markers, empty or foreign objects).
        links: what a link below a local root brings in from outside the org's folder; refused.
    """

    day: date | None
    data: tuple[LandedObject, ...]
    signs: tuple[LandedObject, ...]
    links: tuple[LandedObject, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of the data objects."""
        return sum(found.size for found in self.data)

    @property
    def foreign(self) -> tuple[LandedObject, ...]:
        """Objects that are neither read nor a writer's mark: somebody meant them to be data, perhaps."""
        return tuple(found for found in self.signs if found.size and is_foreign(found.name))

    @property
    def newest(self) -> datetime | None:
        """When the last object of the day, data or sign, was written."""
        times = [found.modified for found in (*self.data, *self.signs)]
        return max(times) if times else None

    @property
    def fingerprint(self) -> str:
        """Hash of the set of (key, ETag, size) of everything in the folder; equal content, equal hash."""
        return fingerprint((*self.data, *self.signs, *self.links))


def fingerprint(objects: Iterable[LandedObject]) -> str:
    """32 hex digits of BLAKE2b over the sorted (key, ETag, size) of the objects."""
    digest = hashlib.blake2b(digest_size=16)
    for found in by_key(objects):
        digest.update(line_of(found))
    return digest.hexdigest()


def by_key(objects: Iterable[LandedObject]) -> list[LandedObject]:
    """Objects in the order in which a fingerprint takes them."""
    return sorted(objects, key=lambda one: one.key)


def line_of(found: LandedObject) -> bytes:
    """What a fingerprint takes of an object."""
    return f"{found.key}\0{found.etag}\0{found.size}\n".encode()


def list_day(root: Root, door: str, slug: str, day: date | None) -> LandedDay:
    """What lies in the folder of one day (None: the folder of undated records).

    Raises:
        StorageError: the landing root itself is not there, which is not the same as nothing landed.
    """
    root.require(LANDING)
    return landed_day(root, door, slug, day, root.list(day_prefix(door, slug, day)))


def days_and_strays(root: Root, door: str, slug: str) -> tuple[list[date], list[str]]:
    """The days that have a folder at a door of an org, and what lies beside them and is read by nothing; both sorted.

    One request per thousand. On disk, a day's folder may be empty.

    A stray is a loose object, or a folder (with a slash) that is no day: one not written as `event_date=2026-01-05`
    (`2026-1-5`, `EVENT_DATE=…`, a timestamp).
    """
    prefix = door_prefix(door, slug)
    objects, folders = root.list_level(prefix)
    found = {key: day_of(f"{_name(key)}/x") for key in folders}
    days = sorted(day for day in found.values() if day is not None)
    loose = [one.key for one in objects if one.size and is_foreign(one.name)]
    undated = day_prefix(door, slug, None)
    odd = [f"{key}/" for key, day in found.items() if day is None and key != undated and is_foreign(_name(key))]
    return days, sorted((*loose, *odd))


def list_days(root: Root, door: str, slug: str) -> dict[date, LandedDay]:
    """What lies below a door's prefix of one org, by day; objects outside an event_date folder belong to none."""
    root.require(LANDING)
    by_day: dict[date, list[LandedObject]] = defaultdict(list)
    for found in root.list(door_prefix(door, slug)):
        day = day_of(found.key)
        if day is not None:
            by_day[day].append(found)
    return {day: landed_day(root, door, slug, day, objects) for day, objects in sorted(by_day.items())}


NAMED: Final = 5
"""Objects that are named before the others are counted."""


def stray_note(keys: Collection[str]) -> str:
    """What is said of strays, wherever they are met: by a run, a sensor, the doctor or the status."""
    return f"not read, because it lies in no event_date=YYYY-MM-DD folder: {named(sorted(keys))}"


def named(keys: Sequence[str]) -> str:
    """The first few keys as they may be shown, and how many more there are."""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(safe_key, keys[:NAMED])) + more


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def is_foreign(name: str) -> bool:
    """Whether a name is neither hidden nor a writer's mark."""
    return name != MANIFEST and not name.startswith(("_", ".")) and not name.endswith(".crc")


def is_bare(root: Root, door: str, slug: str) -> bool:
    """Whether nothing at all lies below a door's prefix of one org."""
    return next(iter(root.list(door_prefix(door, slug))), None) is None


def landed_day(root: Root, door: str, slug: str, day: date | None, objects: Iterable[LandedObject]) -> LandedDay:
    """The objects of one day, sorted out."""
    suffixes = landing_of(door).suffixes
    found, links = split_links(root, door, slug, objects)
    data = tuple(one for one in found if is_data(one, suffixes))
    return LandedDay(day, data, tuple(one for one in found if not is_data(one, suffixes)), links)
