"""What the mirror's own tables say it holds."""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.ledger import DayReport, Fate, read_fates
from justai_assets.lake.store import Lake


def held_days(lake: Lake, slug: str) -> frozenset[date]:
    """The days the mirror's table has rows of, from its log alone."""
    log = _log(lake, slug)
    return frozenset(log.filter(pl.col("rows") > 0)["event_date"])


def held_rows(lake: Lake, slug: str) -> dict[date, int]:
    """Day → rows of the mirror's table, from its log alone."""
    return dict(_log(lake, slug).select("event_date", "rows").iter_rows())


def held_reports(lake: Lake, slug: str, days: Days) -> list[DayReport]:
    """Days as they were last written, from the log and the ledger: what a run says of days that it left alone."""
    log = {day: (rows, size) for day, rows, size in _log(lake, slug).iter_rows()}
    fates: dict[date, list[Fate]] = {}
    for row in read_fates(lake, slug, days, DELTA_SHARE.name).iter_rows(named=True):
        fate = Fate(row["event_date"], row["door"], row["fate"], row["records"], row["reason"])
        fates.setdefault(fate.day or days.first, []).append(fate)
    return [DayReport(day, *log.get(day, (0, 0)), tuple(fates.get(day, ()))) for day in days]


def _log(lake: Lake, slug: str) -> pl.DataFrame:
    """event_date, rows and bytes of every day that has files."""
    found = lake.open(slug, DELTA_SHARE)
    actions = None if found is None else pl.DataFrame(found.get_add_actions(flatten=True))
    if actions is None or actions.is_empty():
        return pl.DataFrame(schema={"event_date": pl.Date, "rows": pl.Int64, "bytes": pl.Int64})
    return (
        actions.filter(pl.col("partition.event_date").is_not_null())
        .group_by(pl.col("partition.event_date").alias("event_date"))
        .agg(pl.col("num_records").sum().alias("rows"), pl.col("size_bytes").sum().alias("bytes"))
    )
