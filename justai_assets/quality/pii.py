"""No person in what is published: every stored text is looked at again, whatever the doors have refused already."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.quality.verdict import Verdict
from justai_assets.sources.privacy import is_personal

KEYS = ("email_key", "user_key")
PUBLISHED = ("event_name", "raw_event_name", "message_id", "template_id", "campaign_id", "copy_id")
_PSEUDONYM = r"^[0-9a-f]{32}$"


def no_pii(lake: Lake, slug: str, table: Table, days: Days) -> list[Verdict]:
    """Per day: rows whose names or ids hold an email, phone or address, and rows whose keys are no pseudonyms.

    Every row is read, of the columns that carry text; a salt that was left out shows as keys that are not 32 hex
    digits. The unified stream must hold the contract's columns and no other.
    """
    texts = [name for name in PUBLISHED if name in table.schema]
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
    extra = _extra_columns(lake, slug) if table.name == UNIFIED_EVENTS.name else ()
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


def _extra_columns(lake: Lake, slug: str) -> tuple[str, ...]:
    found = lake.open(slug, UNIFIED_EVENTS)
    if found is None:
        return ()
    extra = [one.name for one in found.schema().fields if one.name not in UNIFIED_EVENTS.schema]
    return (f"columns beyond the six of the contract: {', '.join(extra)}",) if extra else ()
