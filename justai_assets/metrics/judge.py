"""An org's experiments, from the lake to judged results, a send day at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import ESP_EVENTS, EXPERIMENT_RESULTS, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.cluster import MOMENTS, moments
from justai_assets.metrics.experiments.cohorts import FUNNEL, cohorts, plans
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.frame import results_frame
from justai_assets.metrics.experiments.results import TemplateResult
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.streams import conversions_of, engagement_of
from justai_assets.orgs.model import Org
from justai_assets.sources.copies import ServedCopies
from justai_assets.storage import Root

DEFAULT_DAYS: Final = 30
_BUCKETS: Final = 16


@dataclass(frozen=True)
class Judged:
    """The experiments of an org over a period of sends.

    Attributes:
        days: send days.
        rules: thresholds they were judged by.
        results: one a template, in the org file's order.
        funnel: FUNNEL, by template and send day, both arms.
        sends_without_message: sends of the arms that nothing can be joined to.
        served: what became of the records of Generate, by name; empty where none were read.
    """

    days: Days
    rules: Rules
    results: tuple[TemplateResult, ...]
    funnel: pl.DataFrame
    sends_without_message: int
    served: Mapping[str, int] = field(default_factory=dict)


def rules_of(org: Org) -> Rules:
    """The thresholds of an org file."""
    return Rules(target_lift=org.experiments.target_lift, minimum_days=org.experiments.minimum_days)


def last_days(org: Org, lake: Lake, today: date, days: int = DEFAULT_DAYS) -> Days | None:
    """The last `days` days up to the newest that holds events, none before the org's start; None without any event."""
    table = UNIFIED_EVENTS if org.is_unified else ESP_EVENTS
    known = Days(org.start_date, max(today, org.start_date))
    filled = [day for day, rows in lake.counts(org.slug, table, known).items() if rows]
    if not filled:
        return None
    return Days(max(org.start_date, max(filled) - timedelta(days=days - 1)), max(filled))


def judge(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    landing: Root | None = None,
    on_day: Callable[[date], None] = lambda _: None,
) -> Judged:
    """Count the cohorts of the days and judge every template, and its copies where Generate's records are landed.

    Memory holds one send day (and the three after it, for what followed) or a sixteenth of the people at a time,
    whatever the length of the period: per-person sums wait on the local disk, and are gone at the end.
    """
    counts, funnels, nameless = [pl.DataFrame(schema=COUNTS)], [pl.DataFrame(schema=FUNNEL)], 0
    with TemporaryDirectory(prefix="justai-people-") as folder:
        served = ServedCopies(landing, org, Path(folder)) if landing else None
        for day in days:
            followed = Days(day, day + timedelta(days=LOOKBACK_DAYS))
            found = cohorts(
                engagement_of(org, lake, followed),
                conversions_of(org, lake, followed),
                org.templates,
                org.attribution,
                Days(day, day),
                copies=served.of_sends(day) if served else None,
            )
            counts.append(found.counts)
            funnels.append(found.funnel)
            nameless += found.sends_without_message
            _spill(found.users, Path(folder), day)
            on_day(day)
        sums = _moments(Path(folder))
    rules = rules_of(org)
    results = analyse(pl.concat(counts), plans(org.templates), moments=sums, rules=rules)
    return Judged(days, rules, results, pl.concat(funnels), nameless, served.fates() if served else {})


def write_results(org: Org, lake: Lake, judged: Judged, *, note: dict[str, str] | None = None) -> int:
    """Replace the results of the period's last day in experiment_results; returns how many rows."""
    last = judged.days.last
    rows = results_frame(judged.results).with_columns(pl.lit(last, pl.Date).alias("event_date"))
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in EXPERIMENT_RESULTS.schema.items())
    with lake.replacing(org.slug, EXPERIMENT_RESULTS, Days(last, last), note=note) as writer:
        return writer.write(last, rows)


def _spill(users: pl.DataFrame, folder: Path, day: date) -> None:
    if users.is_empty():
        return
    buckets = users.with_columns((pl.col("user").hash(seed=7) % _BUCKETS).alias("bucket"))
    for (bucket,), rows in buckets.partition_by("bucket", as_dict=True, include_key=False).items():
        rows.write_parquet(folder / f"{bucket}-{day}.parquet")


def _moments(folder: Path) -> pl.DataFrame:
    """A person is in one bucket only, so the sums of the buckets add up."""
    found = [
        moments(pl.scan_parquet(sorted(folder.glob(f"{bucket}-*.parquet"))))
        for bucket in range(_BUCKETS)
        if any(folder.glob(f"{bucket}-*.parquet"))
    ]
    keys = ("template", "arm", "metric", "window_hours", "copy_id")
    both = pl.concat([pl.DataFrame(schema=MOMENTS), *found])
    return both.group_by(keys).sum().select(MOMENTS.names()).sort(*keys, nulls_last=True)
