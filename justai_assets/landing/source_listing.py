"""Looking at a door of one org: which days are listed, and how they look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from justai_assets.landing.day_changes import Key, Landed, differing_names
from justai_assets.landing.day_completeness import SUCCESS, DoorSigns, Named, is_complete, parse_manifest
from justai_assets.landing.drop_commits import MANIFEST, MAX_LIST_BYTES
from justai_assets.landing.landing_paths import UNDATED, door_prefix, partition_of
from justai_assets.landing.listing import (
    LandedDay,
    is_data,
    is_foreign,
    landed_day,
    list_day,
)
from justai_assets.landing.symlinks import split_links
from justai_assets.sources.registry import is_drop, landing_of
from justai_assets.storage import LandedObject, Root

CHECK_EVERY: Final = 1000
"""Objects between two looks at the clock: one page of an S3 listing."""

ManifestCache = MutableMapping[str, tuple[str, dict[date, Named]]]
"""Key of a manifest → its ETag and what it names; it is read again when the ETag changes."""


@dataclass(frozen=True)
class Survey:
    """What a look at a door of an org found.

    Attributes:
        looked: every day that was looked at, those known or announced without an object included; None is undated.
        strays: where data objects lie outside the days and the undated folder, as `days_and_strays` gives them;
            nothing ever reads them.
        resume: where to go on, when the listing was cut off; everything before it was looked at.
    """

    looked: dict[Key, Landed]
    strays: frozenset[str] = frozenset()
    resume: date | None = None


def survey(
    root: Root,
    door: str,
    slug: str,
    *,
    first: date | None,
    known: Iterable[Key],
    is_late: Callable[[], bool],
    manifests: ManifestCache,
) -> Survey:
    """List a door of an org from a day on, in one pass.

    Args:
        root: the landing root.
        door: the door.
        slug: the org.
        first: first day to list; None lists everything.
        known: days that are remembered: one that the listing lacks was looked at as well, and is empty.
        is_late: whether the time is used up. The listing is then cut off behind a whole day, once there is one.
        manifests: what is known of manifests.
    """
    prefix = door_prefix(door, slug)
    by_day: dict[Key, list[LandedObject]] = defaultdict(list)
    strays: set[str] = set()
    resume: date | None = None
    suffixes = landing_of(door).suffixes
    for index, found in enumerate(_in_order(root, prefix, first), start=1):
        is_known, day = _day_of(prefix, found)
        if is_known:
            by_day[day].append(found)
        elif is_data(found, suffixes):
            folder, slash, _ = found.key.removeprefix(f"{prefix}/").partition("/")
            if is_foreign(folder):
                strays.add(f"{prefix}/{folder}{slash}")
        if index % CHECK_EVERY == 0 and day is not None and is_late():
            whole: dict[Key, list[LandedObject]] = {}
            whole |= {one: objects for one, objects in by_day.items() if one is not None and one < day}
            if whole:
                by_day, resume = defaultdict(list, whole), day
                break
    signs = door_signs(root, door, slug, manifests)
    # A day that a manifest announces and that has no object at all is one to be looked at, too.
    for key in (*known, *signs.named):
        if key is None:
            is_inside = resume is None
        else:
            is_inside = (first is None or key >= first) and (resume is None or key < resume)
        if is_inside and key not in by_day:
            by_day[key] = []
    looked = {key: _landed(landed_day(root, door, slug, key, objects), signs) for key, objects in by_day.items()}
    return Survey(looked, frozenset(strays), resume)


def survey_days(root: Root, door: str, slug: str, days: Iterable[Key], manifests: ManifestCache) -> Survey:
    """List single days of a door of an org."""
    signs = door_signs(root, door, slug, manifests)
    return Survey({day: _landed(list_day(root, door, slug, day), signs) for day in days})


def door_signs(root: Root, door: str, slug: str, manifests: ManifestCache) -> DoorSigns:
    """What lies beside the days of a drop. A manifest that cannot be read says nothing, as when the day is read."""
    if not is_drop(door):
        return DoorSigns()
    beside = {found.name: found for found in split_links(root, door, slug, root.list_flat(door_prefix(door, slug)))[0]}
    manifest = beside.get(MANIFEST)
    if manifest is None or not 0 < manifest.size <= MAX_LIST_BYTES:
        return DoorSigns(beside.get(SUCCESS))
    known = manifests.get(manifest.key)
    if known is None or known[0] != manifest.etag:
        try:
            named = parse_manifest(root.read(manifest.key))
        except (ValueError, FileNotFoundError):
            return DoorSigns(beside.get(SUCCESS))
        manifests[manifest.key] = known = (manifest.etag, named)
    return DoorSigns(beside.get(SUCCESS), manifest, known[1])


def _landed(day: LandedDay, signs: DoorSigns) -> Landed:
    return Landed(day, differing_names(day, signs.names(day).records), is_complete(day, signs))


def _in_order(root: Root, prefix: str, first: date | None) -> Iterator[LandedObject]:
    """The objects of a door from a day on, one day's folder after the other.

    S3 lists in order. A disk does not: there, folders are taken one by one, which costs next to nothing.
    """
    begin = "" if first is None else f"{prefix}/event_date={first.isoformat()}"
    if not root.is_local:
        yield from root.list(prefix, after=begin or None)
        return
    for folder in root.list_folders(prefix):
        if folder >= begin:
            yield from root.list(folder)
    yield from root.list_flat(prefix)


def _day_of(prefix: str, found: LandedObject) -> tuple[bool, Key]:
    """Whether an object lies in a day's folder or the undated one, and which.

    Only the spelling that is read counts, and only right below the door's prefix: nothing reads a day's folder inside
    another one.
    """
    value = partition_of(found.key) if found.key.startswith(f"{prefix}/event_date=") else None
    if value == UNDATED:
        return True, None
    try:
        day = date.fromisoformat(value or "")
    except ValueError:
        return False, None
    return (True, day) if day.isoformat() == value else (False, None)
