"""Conservation: every record has exactly one fate, and the tables hold what the ledger says they hold."""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, QUARANTINE, Table
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.ledger import (
    ACCEPTED,
    ATTRIBUTED,
    DUPLICATE,
    QUARANTINED,
    RECEIVED,
    UNATTRIBUTED,
    recorded_fates,
    total,
)
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict

_FATES = (RECEIVED, ACCEPTED, DUPLICATE, QUARANTINED, ATTRIBUTED, UNATTRIBUTED)


_TORN = "a run ended between the commits of rows and ledger; materialize the day again"


def conservation(lake: Lake, slug: str, table: Table, days: Days) -> list[Verdict]:
    """Hold the ledger of each day against the tables' own logs.

    For a table made of doors: received = accepted + duplicate + quarantined, per door; the table holds the accepted
    and the quarantine the quarantined. For attributed_events: custom events = attributed + unattributed = rows. For
    unified_events of webhooks: rows = engagement events + attributed custom events.

    What such a table received is counted in the version of the upstream table that it read. Upstream may be written
    again while it is built; that it holds another number by now is a warning, and automation builds the day again.
    """
    fates = recorded_fates(lake, slug, days, table.name)
    torn = BuiltDays.of(lake, slug, table).torn
    stored = lake.counts(slug, table, days)
    held = (
        lake.scan(slug, QUARANTINE, days)
        .filter(pl.col("asset") == table.name)
        .group_by("event_date")
        .agg(pl.col("records").sum())
        .collect()
    )
    quarantined = dict(held.iter_rows())
    upstream = {
        source.name: lake.counts(slug, source, days)
        for source in (ESP_EVENTS, CUSTOM_EVENTS)
        if source.name in fates["door"].to_list()
    }
    return [
        _verdict(
            table,
            day,
            fates.filter(pl.col("event_date") == day),
            stored[day],
            quarantined.get(day, 0),
            upstream,
            is_torn=day in torn,
        )
        for day in days
    ]


def _verdict(
    table: Table,
    day: date,
    fates: pl.DataFrame,
    stored: int,
    quarantined: int,
    upstream: dict[str, dict[date, int]],
    *,
    is_torn: bool,
) -> Verdict:
    present = set(fates["fate"])
    numbers: dict[str, int | float] = {name: total(fates, name) for name in _FATES if name in present}
    numbers["stored"] = stored
    problems, warnings = [], []
    if is_torn:
        problems.append(_TORN)
    if fates.is_empty():
        problems.append("the ledger has no entry for this day; materialize it")
    if numbers.get(ACCEPTED, 0) != stored:
        problems.append(f"accepted {numbers.get(ACCEPTED, 0)}, but the table holds {stored}")
    if numbers.get(QUARANTINED, 0) != quarantined:
        problems.append(f"quarantined {numbers.get(QUARANTINED, 0)}, but the quarantine holds {quarantined}")
    for name, counts in upstream.items():
        received = total(fates.filter(pl.col("door") == name), RECEIVED)
        if received != counts[day]:
            warnings.append(f"received {received} from {name}, which holds {counts[day]} by now")
    if table.name == ATTRIBUTED_EVENTS.name:
        parts = numbers.get(ATTRIBUTED, 0) + numbers.get(UNATTRIBUTED, 0)
        if numbers.get(RECEIVED, 0) != parts:
            problems.append(f"received {numbers.get(RECEIVED, 0)}, attributed and unattributed are {parts}")
    elif upstream:
        if numbers.get(RECEIVED, 0) != numbers.get(ACCEPTED, 0):
            problems.append(f"received {numbers.get(RECEIVED, 0)}, accepted {numbers.get(ACCEPTED, 0)}")
    else:
        for door in fates["door"].unique(maintain_order=True):
            one = fates.filter(pl.col("door") == door)
            parts = total(one, ACCEPTED) + total(one, DUPLICATE) + total(one, QUARANTINED)
            if total(one, RECEIVED) != parts:
                problems.append(f"{door}: received {total(one, RECEIVED)}, but its fates add up to {parts}")
    return Verdict(day, numbers, tuple(problems), tuple(warnings))
