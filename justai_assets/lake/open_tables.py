"""Tables that are open, kept and brought up to date: the log of a table is read once, and then what was added to it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from weakref import ref

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from justai_assets.storage import Root

KEPT = 64
"""Tables that are kept open at most: those of a few orgs. A table of 400 days is about a megabyte."""


@dataclass
class _Kept:
    """One table as it was last seen, and who still reads it as it was then."""

    lock: Lock = field(default_factory=Lock)
    table: DeltaTable | None = None
    lent: list[ref[DeltaTable]] = field(default_factory=list)

    def lend(self) -> DeltaTable | None:
        """A handle for a caller; while it lives, the table stays at its version."""
        if self.table is None:
            return None
        lent = copy.copy(self.table)
        self.lent.append(ref(lent))
        return lent


class OpenTables:
    """The newest version of tables. What is handed out stays as it is, whatever is committed meanwhile.

    Whether a table is the newest is asked of the store each time: one request, instead of one for each commit since
    the last checkpoint. So a version is never older than the moment it was asked for, after a conflict as well.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def newest(self, key: str) -> DeltaTable | None:
        """The table at a key as it is now; None when it was never written."""
        kept = self._kept_at(key)
        with kept.lock:
            kept.lent = [one for one in kept.lent if one() is not None]
            if kept.table is not None:
                newest = self._newest_version(key, kept.table.version())
                if newest is None or (newest > kept.table.version() and kept.lent):
                    # Somebody reads it as it was: a lazy frame looks up its files only when it is collected.
                    kept.table = None
                elif newest > kept.table.version():
                    kept.table.update_incremental()
            if kept.table is None:
                kept.table, kept.lent = self.anew(key), []
            return kept.lend()

    def at(self, key: str, version: int) -> DeltaTable | None:
        """The table at a key as it was at a version, which costs nothing where that one is kept."""
        kept = self._kept_at(key)
        with kept.lock:
            if kept.table is not None and kept.table.version() == version:
                return kept.lend()
        return self.anew(key, version)

    def _kept_at(self, key: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return kept

    def anew(self, key: str, version: int | None = None) -> DeltaTable | None:
        """The table at a key, opened for the caller alone: for whoever changes it, or wants an older version."""
        try:
            return DeltaTable(self._root.uri(key), version=version, storage_options=self._root.options or None)
        except TableNotFoundError:
            return None

    def _newest_version(self, key: str, version: int) -> int | None:
        """The newest version from one on; None when that one is no longer in the log."""
        log = f"{key}/_delta_log"
        if self._root.is_local:
            folder = self._root.local(log)
            while (folder / f"{version + 1:020}.json").exists():
                version += 1
            return version if (folder / f"{version:020}.json").exists() else None
        names = (found.key.rpartition("/")[2] for found in self._root.list(log, after=f"{log}/{version:020}"))
        versions = [int(name[:20]) for name in names if name[20:] == ".json" and name[:20].isdigit()]
        return max(versions) if version in versions else None
