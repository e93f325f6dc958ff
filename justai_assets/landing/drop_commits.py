"""Which files of a dropped day count: the writer's manifest or commit list, where there is one.

Redshift's `manifest` (UNLOAD … MANIFEST) lists what the last UNLOAD wrote; without it a re-run with fewer parts leaves
stale files behind. A manifest names everything that counts.

Databricks writes `_committed_<id>` with the names that one transaction added and removed, and `_started_<id>` before:
files of an aborted job lie there uncommitted for up to 48 hours. A commit list speaks of its own transaction only,
whose id is in the names of its files (`…-tid-<id>-…`). An append adds a list beside the earlier ones, and VACUUM
deletes old lists whose files stay live (`_committed_vacuum…` is its mark, and lists nothing). So a file counts when a
list names it, or when its own transaction left neither a started nor a committed marker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from justai_assets.landing.landing_paths import door_prefix
from justai_assets.landing.listing import MANIFEST as MANIFEST
from justai_assets.landing.listing import LandedDay
from justai_assets.landing.symlinks import split_links
from justai_assets.storage import LandedObject, Root

MAX_LIST_BYTES = 64 << 20
COMMITTED: Final = "_committed_"
VACUUMED: Final = "_committed_vacuum"
_TRANSACTION = re.compile(r"-tid-(\d+)-")


@dataclass(frozen=True)
class Committed:
    """What a writer's own lists say of a day.

    Attributes:
        live: the files to read.
        stale: files that lie there and do not count: the manifest or their own transaction's list does not name them,
            or their transaction did not commit.
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
        beside, _ = split_links(root, door, slug, root.list_flat(prefix))
        lists += [found for found in beside if found.key == f"{prefix}/{MANIFEST}" and found.size]
    read = _Lists()
    unreadable: list[LandedObject] = []
    for found in lists:
        try:
            read.add(found.name, *_entries(root, found, landed))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            unreadable.append(found)
    aborted = _uncommitted_transactions(landed)
    live, stale = _split(landed.data, lambda one: read.counts(one.name) and transaction_of(one.name) not in aborted)
    there = {found.name for found in landed.data}
    wanted = read.names.keys() - read.removed
    missing = tuple(sorted((name, read.names[name]) for name in wanted - there))
    superseded = tuple(one for one in stale if one.name in read.removed)
    # VACUUM's mark says, too, that the writer removes what it replaced: what is left is live.
    is_declared = read.is_telling or any(one.name.startswith(("_started_", VACUUMED)) for one in landed.signs)
    return Committed(live, stale, missing, tuple(unreadable), is_declared, superseded)


@dataclass
class _Lists:
    """What the readable lists of a day say together."""

    names: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    committed: set[str] = field(default_factory=set)
    has_manifest: bool = False

    def add(self, called: str, entries: dict[str, int], gone: set[str]) -> None:
        self.names |= entries
        self.removed |= gone
        if called != MANIFEST:
            self.committed.add(called.removeprefix(COMMITTED))
        elif entries:
            self.has_manifest = True

    @property
    def is_telling(self) -> bool:
        return self.has_manifest or bool(self.committed)

    def counts(self, name: str) -> bool:
        """Whether a file is one to read, as far as the lists go."""
        if name in self.names or name in self.removed:
            return name not in self.removed
        if self.has_manifest:
            return False
        own = transaction_of(name)
        if own is not None:
            return own not in self.committed
        # A name without a transaction is outside the protocol, unless the lists themselves name such files.
        return all(transaction_of(one) is not None for one in self.names)


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
    return name.startswith(COMMITTED) and not name.startswith(VACUUMED)


def transaction_of(name: str) -> str | None:
    """The id of the transaction that wrote a file, from its name; None for a name without one."""
    match = _TRANSACTION.search(name)
    return None if match is None else match.group(1)


def _uncommitted_transactions(landed: LandedDay) -> set[str]:
    started = {one.name.removeprefix("_started_") for one in landed.signs if one.name.startswith("_started_")}
    return started - {one.name.removeprefix(COMMITTED) for one in landed.signs}


def _split(
    objects: Iterable[LandedObject], is_live: Callable[[LandedObject], bool]
) -> tuple[tuple[LandedObject, ...], tuple[LandedObject, ...]]:
    live: list[LandedObject] = []
    stale: list[LandedObject] = []
    for found in objects:
        (live if is_live(found) else stale).append(found)
    return tuple(live), tuple(stale)
