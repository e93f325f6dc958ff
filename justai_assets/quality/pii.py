"""No person in what is published: every stored text is looked at again, whatever the doors have refused already."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DECLARED, UNIFIED_EVENTS, Column, Table
from justai_assets.lake.delta_schema import columns_of_another_version
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import extra_of
from justai_assets.quality.day_result import Verdict
from justai_assets.sources.identifier_privacy import is_personal

KEYS = ("email_key", "user_key")
PUBLISHED = ("event_name", "raw_event_name", "message_id", "template_id", "campaign_id", "copy_id")
_PSEUDONYM = r"^[0-9a-f]{32}$"


def no_pii(lake: Lake, slug: str, table: Table, days: Days) -> list[Verdict]:
    """Per day: rows whose names or ids hold an email, phone or address, and rows whose keys are no pseudonyms.

    Every row is read, of the columns that carry text; a salt that was left out shows as keys that are not 32 hex
    digits. The unified stream must hold the contract's columns, those that the org declares, and no other; a column
    that is declared no more must be empty.

    Args:
        lake: the lake.
        slug: the org.
        table: the table, with its declared columns.
        days: the days.
    """
    texts = [name for name in PUBLISHED if name in table.schema]
    texts += [name for name, kind in extra_of(table).items() if kind == "text"]
    keys = [name for name in KEYS if name in table.schema]
    rows = lake.scan(slug, table, days)
    found = (
        rows.select("event_date", *texts, *keys)
        .group_by("event_date")
        .agg(
            pl.len().alias("rows"),
            *(is_personal(name).sum().alias(f"personal:{name}") for name in texts),
            *((~pl.col(name).str.contains(_PSEUDONYM)).sum().alias(f"key:{name}") for name in keys),
        )
        .collect(engine="streaming")
    )
    by_day = {row["event_date"]: row for row in found.iter_rows(named=True)}
    extra = _extra_columns(lake, slug, table, days) if table.name == UNIFIED_EVENTS.name else ()
    verdicts = []
    for day in days:
        row = by_day.get(day, {})
        problems = [
            f"{row[f'personal:{name}']} rows with personal data in {name}"
            for name in texts
            if row.get(f"personal:{name}")
        ]
        problems += [
            f"{row[f'key:{name}']} rows whose {name} is no pseudonym" for name in keys if row.get(f"key:{name}")
        ]
        hits = sum(count for name, count in row.items() if name.startswith(("personal:", "key:")))
        numbers = {"rows read": int(row.get("rows", 0)), "rows with personal data": int(hits)}
        verdicts.append(Verdict(day, numbers, (*problems, *extra)))
    return verdicts


def _extra_columns(lake: Lake, slug: str, table: Table, days: Days) -> tuple[str, ...]:
    """What is wrong with columns that are neither the contract's nor declared, on any of the days."""
    found = lake.open(slug, UNIFIED_EVENTS)
    if found is None:
        return ()
    extra = {one.name: one for one in found.schema().fields if one.name not in table.schema}
    other = columns_of_another_version(found, table)
    once = [name for name, one in extra.items() if one.metadata.get("comment") == DECLARED or name in other]
    foreign = sorted(extra.keys() - set(once))
    problems = [f"columns beyond the six of the contract: {', '.join(foreign)}"] if foreign else []
    if once:
        left = replace(table, columns=(*table.columns, *(Column(name, pl.String(), DECLARED) for name in once)))
        rows = lake.scan(slug, left, days).select(pl.col(once).count()).collect(engine="streaming")
        full = sorted(name for name, count in rows.row(0, named=True).items() if count)
        problems += [f"declared no more, but not empty, so build these days again: {', '.join(full)}"] if full else []
    return tuple(problems)
