"""Where each door's objects lie below the landing root. Every path is built here, and nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Final
from urllib.parse import unquote

from justai_assets.contract.days import day_or_none
from justai_assets.contract.errors import StorageError
from justai_assets.orgs.field_types import SLUG
from justai_assets.sources.registry import landing_of

UNDATED: Final = "__HIVE_DEFAULT_PARTITION__"
"""The folder of records without a usable date; read as quarantine."""

_DAY = "event_date="


def door_prefix(door: str, slug: str) -> str:
    """`webhooks/iterable/acme`: without a trailing slash; whatever lists it appends one."""
    if not SLUG.fullmatch(slug):
        raise StorageError(f"{slug!r} is not an org slug")
    return f"{landing_of(door).prefix}/{slug}"


def day_prefix(door: str, slug: str, day: date | None) -> str:
    """`webhooks/iterable/acme/event_date=2026-01-31`; None is the folder of undated records."""
    return f"{door_prefix(door, slug)}/{_DAY}{UNDATED if day is None else day.isoformat()}"


def partition_of(key: str) -> str | None:
    """The value of the key's event_date folder, decoded, or None when it has none."""
    for part in key.split("/")[:-1]:
        if part.startswith(_DAY):
            return unquote(part.removeprefix(_DAY))
    return None


def day_of(key: str) -> date | None:
    """The day of the key's event_date folder, or None when that is absent or not written as `day_prefix` writes it."""
    value = partition_of(key)
    return None if value is None else day_or_none(value)
