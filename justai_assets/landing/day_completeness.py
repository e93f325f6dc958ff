"""Whether the writer of a drop says that a day is complete, so that nobody has to wait for it to settle.

UNLOAD writes its manifest last; Spark writes `_SUCCESS` last, beside the days or inside; Databricks writes
`_committed_<id>` after the files of the transaction that `_started_<id>` opened. Each counts only when it is no older
than the newest data: a manifest under which the next export has begun to write says nothing of that export.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from urllib.parse import unquote

from justai_assets.landing.drop_commits import COMMITTED, VACUUMED, transaction_of
from justai_assets.landing.landing_paths import day_of
from justai_assets.landing.listing import MANIFEST, LandedDay
from justai_assets.storage import LandedObject

SUCCESS: Final = "_SUCCESS"


@dataclass(frozen=True)
class Named:
    """The data files that a manifest names for one day.

    Attributes:
        records: name → records (1 where the manifest does not say).
        lengths: name → bytes, where the manifest says.
    """

    records: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)


NOTHING: Final = Named()


@dataclass(frozen=True)
class DoorSigns:
    """What lies beside the days, at a door's prefix of one org.

    Attributes:
        success: `_SUCCESS`, if it is there.
        manifest: `manifest`, if it is there and could be read.
        named: what the manifest names, by day.
    """

    success: LandedObject | None = None
    manifest: LandedObject | None = None
    named: Mapping[date, Named] = field(default_factory=dict)

    def names(self, day: LandedDay) -> Named:
        """What the manifest names for a day; nothing for a day with a manifest of its own, which goes before."""
        if day.day is None or any(found.name == MANIFEST for found in day.signs):
            return NOTHING
        return self.named.get(day.day, NOTHING)


def parse_manifest(content: bytes) -> dict[date, Named]:
    """What an UNLOAD manifest names, by day. Raises ValueError for anything that is not one."""
    records: dict[date, dict[str, int]] = defaultdict(dict)
    lengths: dict[date, dict[str, int]] = defaultdict(dict)
    try:
        parsed: Any = json.loads(content)
        for entry in parsed["entries"]:
            key = unquote(str(entry["url"]))
            day = day_of(key)
            if day is None:
                continue
            meta = entry.get("meta") or {}
            name = key.rpartition("/")[2]
            records[day][name] = int(meta.get("record_count") or 1)
            if meta.get("content_length"):
                lengths[day][name] = int(meta["content_length"])
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a manifest: {type(error).__name__}") from None
    return {day: Named(records[day], lengths[day]) for day in records}


def is_complete(day: LandedDay, signs: DoorSigns) -> bool:
    """Whether the writer says that a day with data is complete."""
    if not day.data:
        return False
    newest = max(found.modified for found in day.data)
    if any(found.name == MANIFEST and found.size and found.modified >= newest for found in day.signs):
        return True
    named = signs.names(day)
    if named.records and signs.manifest is not None and signs.manifest.modified >= newest:
        sizes = {found.name: found.size for found in day.data}
        return all(name in sizes and named.lengths.get(name, sizes[name]) == sizes[name] for name in named.records)
    opened = {found.name.removeprefix("_started_") for found in day.signs if found.name.startswith("_started_")}
    closed = {
        found.name.removeprefix(COMMITTED): found.modified
        for found in day.signs
        if found.name.startswith(COMMITTED) and not found.name.startswith(VACUUMED)
    }
    if opened - closed.keys():
        return False
    # Each transaction's list speaks of its own files; a file of no transaction is covered by a list written after it.
    last = max(closed.values(), default=None)
    if last is not None and all(transaction_of(one.name) in closed or one.modified <= last for one in day.data):
        return True
    return _is_after((*day.signs, *((signs.success,) if signs.success else ())), newest)


def _is_after(signs: Iterable[LandedObject], newest: Any) -> bool:
    return any(found.name == SUCCESS and found.modified >= newest for found in signs)
