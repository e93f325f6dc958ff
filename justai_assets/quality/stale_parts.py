"""Stale parts: files of an earlier or aborted export that still lie in a drop's folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.ledger import QUARANTINED, read_fates
from justai_assets.lake.store import Lake
from justai_assets.landing.drop_commits import committed
from justai_assets.landing.listing import list_day
from justai_assets.quality.day_result import Verdict
from justai_assets.storage import Root

GENERATION = timedelta(hours=2)
"""One export writes its parts within minutes; parts further apart are of two."""


def stale_parts(landing: Root, lake: Lake, slug: str, table: Table, doors: Sequence[str], days: Days) -> list[Verdict]:
    """Per day of the drop doors: parts that were refused, parts that are missing, and parts of two generations.

    Args:
        landing: the landing root; the day's folders are listed, their manifests read.
        lake: the lake; its ledger says what was refused when the day was built.
        slug: the org.
        table: the table that the doors feed.
        doors: the drop doors.
        days: the days.

    A manifest or commit list settles what counts: refused parts then only warn, and a part it names but that is not
    there fails. Without one every part counts, so parts written more than two hours apart warn: a smaller re-export
    does not remove what a larger one left (UNLOAD … ALLOWOVERWRITE), and those rows are then in twice.
    """
    fates = read_fates(lake, slug, days, table.name).filter(
        (pl.col("fate") == QUARANTINED) & pl.col("door").is_in(doors)
    )
    return [_day(landing, slug, doors, day, fates.filter(pl.col("event_date") == day)) for day in days]


def _day(landing: Root, slug: str, doors: Sequence[str], day: date, fates: pl.DataFrame) -> Verdict:
    refused = fates.filter(pl.col("reason") == "not_committed")["records"].sum()
    missing = fates.filter(pl.col("reason") == "missing_file")["records"].sum()
    numbers: dict[str, int | float] = {"refused records": int(refused), "missing records": int(missing), "parts": 0}
    problems = [f"{missing} records announced but not there"] if missing else []
    warnings = [f"{refused} records of uncommitted or earlier parts lie there, refused"] if refused else []
    for door in doors:
        landed = list_day(landing, door, slug, day)
        numbers["parts"] += len(landed.data)
        times = [found.modified for found in landed.data]
        if (
            len(times) > 1
            and max(times) - min(times) > GENERATION
            and not committed(landing, door, slug, landed).is_declared
        ):
            hours = (max(times) - min(times)) / timedelta(hours=1)
            numbers["hours between parts"] = round(hours, 1)
            warnings.append(f"{door}: parts written {hours:.1f} h apart, and no manifest says which count")
    return Verdict(day, numbers, tuple(problems), tuple(warnings))
