"""Which files of a dropped day count: the writer's manifest or commit list, where there is one.

Redshift's `manifest` (UNLOAD … MANIFEST) lists what the last UNLOAD wrote; without it a re-run with fewer parts leaves
stale files behind. Databricks writes `_committed_<id>` with the names it added and removed, and `_started_<id>` before:
files of an aborted job lie there uncommitted for up to 48 hours. Its `_committed_vacuum…` lists nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from justai_assets.landing.listing import MANIFEST as MANIFEST
from justai_assets.landing.listing import LandedDay
from justai_assets.landing.paths import door_prefix
from justai_assets.storage import LandedObject, Root

MAX_LIST_BYTES = 64 << 20
_TRANSACTION = re.compile(r"-tid-(\d+)-")


@dataclass(frozen=True)
class Committed:
    """What a writer's own lists say of a day.

    Attributes:
        live: the files to read.
        stale: files that lie there but that the list does not name.
        superseded: those of them that a commit list names as removed: the writer deletes them when it vacuums.
        missing: name and record count of files the list names but that are not there.
        unreadable: lists that could not be read; nothing was concluded from them.
        is_declared: whether any list spoke of this day.
    """

    live: tuple[LandedObject, ...]
    stale: tuple[LandedObject, ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    unreadable: tuple[LandedObject, ...] = ()
    is_declared: bool = False
    superseded: tuple[LandedObject, ...] = ()


def committed(root: Root, door: str, slug: str, landed: LandedDay) -> Committed:
    """Sort a day's files by what the manifest or the commit lists say; without any, every file is live.

    A manifest lies in the day's folder or at the door's prefix. One that names no file of this day says nothing of it.
    """
    lists = [found for found in landed.signs if found.name == MANIFEST or _is_commit_list(found.name)]
    if landed.day is not None and not any(found.name == MANIFEST for found in lists):
        prefix = door_prefix(door, slug)
        lists += [found for found in root.list_flat(prefix) if found.key == f"{prefix}/{MANIFEST}" and found.size]
    names: dict[str, int] = {}
    removed: set[str] = set()
    unreadable: list[LandedObject] = []
    has_list = False
    for found in lists:
        try:
            entries, gone = _entries(root, found, landed)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            unreadable.append(found)
            continue
        names |= entries
        removed |= gone
        has_list = has_list or bool(entries or gone) or found.name != MANIFEST
    aborted = _uncommitted_transactions(landed)
    if not has_list:
        live, stale = _split(landed.data, lambda one: not _of_transaction(one, aborted))
        return Committed(live, stale, (), tuple(unreadable), bool(aborted))
    wanted = names.keys() - removed
    live, stale = _split(landed.data, lambda one: one.name in wanted and not _of_transaction(one, aborted))
    there = {found.name for found in landed.data}
    missing = tuple(sorted((name, names[name]) for name in wanted - there))
    superseded = tuple(one for one in stale if one.name in removed)
    return Committed(live, stale, missing, tuple(unreadable), is_declared=True, superseded=superseded)


def _entries(root: Root, found: LandedObject, landed: LandedDay) -> tuple[dict[str, int], set[str]]:
    """(name → records, removed names) that one list gives for this day."""
    if found.size > MAX_LIST_BYTES:
        raise ValueError("the list is too large")
    content: Any = json.loads(root.read(found.key))
    if found.name == MANIFEST:
        entries: dict[str, int] = {}
        for entry in content["entries"]:
            folder, _, name = unquote(str(entry["url"])).rpartition("/")
            if landed.day is not None and folder.endswith(f"/event_date={landed.day.isoformat()}"):
                entries[name] = max(int((entry.get("meta") or {}).get("record_count") or 1), 1)
        return entries, set()
    if not isinstance(content, dict) or not {"added", "removed"} & content.keys():
        # Read as "nothing was added", a list of another form would refuse every file of the day.
        raise ValueError("the list says neither what was added nor what was removed")
    added = {str(name).rpartition("/")[2]: 1 for name in content.get("added") or ()}
    return added, {str(name).rpartition("/")[2] for name in content.get("removed") or ()}


def _is_commit_list(name: str) -> bool:
    return name.startswith("_committed_") and not name.startswith("_committed_vacuum")


def _uncommitted_transactions(landed: LandedDay) -> set[str]:
    started = {one.name.removeprefix("_started_") for one in landed.signs if one.name.startswith("_started_")}
    return started - {one.name.removeprefix("_committed_") for one in landed.signs}


def _of_transaction(found: LandedObject, ids: set[str]) -> bool:
    match = _TRANSACTION.search(found.name)
    return match is not None and match.group(1) in ids


def _split(
    objects: Iterable[LandedObject], is_live: Callable[[LandedObject], bool]
) -> tuple[tuple[LandedObject, ...], tuple[LandedObject, ...]]:
    live: list[LandedObject] = []
    stale: list[LandedObject] = []
    for found in objects:
        (live if is_live(found) else stale).append(found)
    return tuple(live), tuple(stale)
