"""A Delta table on disk as the server sees it: its log, replayed to any version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Snapshot:
    """A table at one version: its protocol, metaData and add actions."""

    version: int
    protocol: dict[str, Any]
    metadata: dict[str, Any]
    files: tuple[dict[str, Any], ...]


@dataclass
class SharedTable:
    """One shared table.

    Attributes:
        root: folder of the Delta table.
        is_view: a view has no history: neither `changes` nor a query at a version.
        with_stats: whether `add` actions keep their statistics.
        deletion_vectors: relative path → deletionVector object to show for that file.
        configuration: entries laid over the table's own configuration.
    """

    root: Path
    is_view: bool = False
    with_stats: bool = True
    deletion_vectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)

    def commits(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Each version's actions, in order, from the JSON log: a table with checkpoints alone cannot be served."""
        for path in sorted((self.root / "_delta_log").glob("*.json")):
            if path.stem.isdigit():
                lines = path.read_text(encoding="utf-8").splitlines()
                yield int(path.stem), [json.loads(line) for line in lines if line.strip()]

    def version(self) -> int:
        """The current version."""
        stems = [path.stem for path in (self.root / "_delta_log").glob("*.json")]
        return max(int(stem) for stem in stems if stem.isdigit())

    def snapshot(self, at: int | None = None) -> Snapshot:
        """The table as of a version, the current one by default."""
        files: dict[str, dict[str, Any]] = {}
        protocol: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        last = -1
        for version, actions in self.commits():
            if at is not None and version > at:
                break
            last = version
            # A commit may remove and re-add one path: removals first.
            for action in sorted(actions, key=lambda one: "remove" not in one):
                if "remove" in action:
                    files.pop(action["remove"]["path"], None)
                elif "add" in action:
                    files[action["add"]["path"]] = {**action["add"], "commitVersion": version}
                elif "metaData" in action:
                    metadata = action["metaData"]
                elif "protocol" in action:
                    protocol = action["protocol"]
        metadata = {**metadata, "configuration": {**metadata.get("configuration", {}), **self.configuration}}
        if self.is_view:
            metadata["configuration"].pop("delta.enableChangeDataFeed", None)
        return Snapshot(last, protocol, metadata, tuple(self._shown(add) for add in files.values()))

    def _shown(self, add: dict[str, Any]) -> dict[str, Any]:
        shown = dict(add)
        if not self.with_stats:
            shown.pop("stats", None)
        if add["path"] in self.deletion_vectors:
            shown["deletionVector"] = self.deletion_vectors[add["path"]]
        return shown

    def changes(self, first: int, last: int) -> Iterator[tuple[int, int, str, dict[str, Any]]]:
        """(version, timestamp in ms, add | remove | cdc, action) of every data change, both versions inclusive."""
        for version, actions in self.commits():
            if not first <= version <= last:
                continue
            stamp = next((a["commitInfo"].get("timestamp", 0) for a in actions if "commitInfo" in a), 0)
            # Where a commit has change files, they say everything; its adds and removes would say it twice.
            kinds = ("cdc",) if any("cdc" in action for action in actions) else ("add", "remove")
            for action in actions:
                for kind in kinds:
                    if kind in action and (kind == "cdc" or action[kind].get("dataChange", True)):
                        yield version, stamp, kind, action[kind]

    def local(self, path: str) -> Path:
        """Where a file of the table lies."""
        return self.root / unquote(path)

    @staticmethod
    def file_id(path: str) -> str:
        """The id by which the protocol knows a file."""
        return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()


def may_hold(add: dict[str, Any], hints: dict[str, Any] | None) -> bool:
    """Whether a file may hold rows that meet a jsonPredicateHint; True whenever in doubt."""
    if not hints:
        return True
    op, children = hints.get("op"), hints.get("children", [])
    if op == "and":
        return all(may_hold(add, child) for child in children)
    if op == "or":
        return any(may_hold(add, child) for child in children)
    column = next((child["name"] for child in children if child.get("op") == "column"), None)
    value = next((child["value"] for child in children if child.get("op") == "literal"), None)
    if column is None or value is None:
        return True
    low = high = add.get("partitionValues", {}).get(column)
    if column not in add.get("partitionValues", {}):
        stats = json.loads(add.get("stats") or "{}")
        low, high = stats.get("minValues", {}).get(column), stats.get("maxValues", {}).get(column)
    if low is None or high is None:
        return True
    wanted, low, high = (date.fromisoformat(str(one)[:10]) for one in (value, low, high))
    checks = {
        "equal": low <= wanted <= high,
        "greaterThanOrEqual": high >= wanted,
        "greaterThan": high > wanted,
        "lessThanOrEqual": low <= wanted,
        "lessThan": low < wanted,
    }
    return checks.get(str(op), True)
