"""Which days of the mirror's own table were written since a version of it, by whomever.

A version that only merged files, removed old ones or changed a property wrote no day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import unquote

from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.store import Lake
from justai_assets.landing.paths import day_of
from justai_assets.sources.delta_share.days import Day

MAX_VERSIONS = 2_000
"""Reading further back costs more than the comparison it spares."""


def lake_version(lake: Lake, slug: str) -> int | None:
    """The version of the mirror's table, or None before the first write."""
    found = lake.open(slug, DELTA_SHARE)
    return None if found is None else found.version()


def days_written(lake: Lake, slug: str, since: int, until: int) -> frozenset[Day] | None:
    """The days that versions `since` + 1 to `until` of the mirror's table wrote, replaced or emptied.

    None when nothing can tell: the table is another, its log is not kept that far back, or it is too long.
    """
    if until < since or until - since > MAX_VERSIONS:
        return None
    days: set[Day] = set()
    for version in range(since + 1, until + 1):
        try:
            text = lake.root.read(f"{lake.key(slug, DELTA_SHARE)}/_delta_log/{version:020d}.json").decode()
        except FileNotFoundError:
            return None
        for line in text.splitlines():
            action = json.loads(line) if line.strip() else {}
            for kind in ("add", "remove"):
                if kind in action and action[kind].get("dataChange", True):
                    days.add(_day(action[kind]))
    return frozenset(days)


def _day(action: Mapping[str, Any]) -> Day:
    values = action.get("partitionValues") or {}
    if "event_date" in values:
        return date.fromisoformat(values["event_date"]) if values["event_date"] else None
    return day_of(unquote(action["path"]))
