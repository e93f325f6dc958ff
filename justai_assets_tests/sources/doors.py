"""One day of one door, taken in, as frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS, Table
from justai_assets.sources.intake import open_day
from justai_assets_tests.world import World

DAY = date(2026, 1, 5)


@dataclass(frozen=True)
class Taken:
    """What an intake came to, collected."""

    received: int
    duplicates: int
    accepted: pl.DataFrame
    rejected: pl.DataFrame
    marks: tuple[str, ...]
    extra: Mapping[str, int]

    @property
    def reasons(self) -> list[str]:
        return sorted(self.rejected["reason"])

    @property
    def row(self) -> dict[str, Any]:
        """The one accepted row."""
        assert self.accepted.height == 1, (self.accepted, self.rejected)
        return self.accepted.to_dicts()[0]


def take(world: World, door: str, day: date | None = DAY, table: Table | None = None) -> Taken:
    """Take in a day of acme's door and hold its sums against each other."""
    org = world.orgs["acme"]
    table = table or (ESP_EVENTS if door == "iterable_webhooks" else CUSTOM_EVENTS)
    if door in {"redshift", "databricks"} and org.sources.content(door) == "unified_events":
        table = UNIFIED_EVENTS
    with open_day(world.landing, org, door, day, table) as found:
        taken = Taken(
            found.received, found.duplicates, found.accepted.collect(), found.rejected.collect(), found.marks,
            found.extra_columns,
        )  # fmt: skip
    assert dict(taken.accepted.schema) == dict(table.schema)
    assert taken.received == taken.accepted.height + taken.duplicates + int(taken.rejected["records"].sum())
    return taken
