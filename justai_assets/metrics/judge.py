"""An org's experiments, from the lake to judged results, a send day at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import ESP_EVENTS, EXPERIMENT_RESULTS, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.cluster import added, moments, person_sums
from justai_assets.metrics.experiments.cohorts import FUNNEL, cohorts, counted_events, plans
from justai_assets.metrics.experiments.counts import COUNTS, first_judged_day
from justai_assets.metrics.experiments.frame import results_frame
from justai_assets.metrics.experiments.overall import OverallResult, overall, person_squares, weights
from justai_assets.metrics.experiments.results import TemplateResult
from justai_assets.metrics.experiments.rules import Plan, Rules
from justai_assets.metrics.kept_cohorts import KeptCohorts
from justai_assets.metrics.people import People
from justai_assets.metrics.streams import conversions_of, engagement_of
from justai_assets.orgs.model import Org
from justai_assets.sources.copies import ServedCopies
from justai_assets.storage import Root

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

DEFAULT_DAYS: Final = 30


@dataclass(frozen=True)
class Judged:
    """The experiments of an org.

    Attributes:
        days: send days that the funnel shows.
        rules: thresholds they were judged by.
        results: one a template, in the org file's order.
        overall: all templates together, by metric.
        funnel: FUNNEL, by template and send day, both arms.
        sends_without_message: sends of the arms on the days that nothing can be joined to.
        is_chosen: the days were chosen by hand and the templates judged over them, not from their starts on.
        served: what became of the records of Generate that were read now, by name: those of days counted anew.
    """

    days: Days
    rules: Rules
    results: tuple[TemplateResult, ...]
    overall: tuple[OverallResult, ...]
    funnel: pl.DataFrame
    sends_without_message: int
    is_chosen: bool
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
    starts: Mapping[str, date] | None = None,
    keep: bool = False,
    on_day: Callable[[date], None] = lambda _: None,
) -> Judged:
    """Count the cohorts of every day that is judged or shown, and judge every template.

    Args:
        org: the org.
        lake: the lake.
        days: send days to show; the last one is the last that is judged.
        landing: where Generate's records say which copy a message carried; None: copies are not told apart.
        starts: template → first send day judged (starts.py); a template that is not in it is judged over `days`. None:
            every template is. Intervals that may be read every day ask for a start that stays.
        keep: keep what was counted in the lake, for the next time.
        on_day: called after each day that had to be counted.

    Days that were kept and have not changed since are not counted again. Memory holds one send day (and the three after
    it, for what followed), or a sixteenth of many people, at a time.
    """
    begins = {one.id: min(days.first, (starts or {}).get(one.id, days.first)) for one in org.templates}
    whole = Days(min([days.first, *begins.values()]), days.last)
    events, kept = counted_events(org), KeptCohorts.read(org, lake, whole, landing)
    counts, funnels, nameless = [pl.DataFrame(schema=COUNTS)], [pl.DataFrame(schema=FUNNEL)], 0
    with TemporaryDirectory(prefix="justai-people-") as folder, TemporaryDirectory(prefix="justai-copies-") as copies:
        people = People(Path(folder), kept)
        served = ServedCopies(landing, org, Path(copies)) if landing else None
        for day in whole:
            templates = [one for one in org.templates if begins[one.id] <= day]
            found = kept.get(day, templates, exactly=day in days)
            if found is None:
                followed = Days(day, day + timedelta(days=LOOKBACK_DAYS))
                found = cohorts(
                    engagement_of(org, lake, followed),
                    conversions_of(org, lake, followed),
                    templates,
                    org.attribution,
                    Days(day, day),
                    events=events,
                    copies=served.of_sends(day) if served else None,
                )
                if keep:
                    kept.keep(day, found, templates)
                    people.add_kept(day)
                else:
                    people.add(day, found.people)
                on_day(day)
            else:
                people.add_kept(day)
            counts.append(found.counts)
            if day in days:
                funnels.append(found.funnel)
                nameless += found.sends_without_message
        rules = rules_of(org)
        tests = [replace(one, start=(starts or {}).get(one.template, one.start)) for one in plans(org.templates)]
        results, together = _analysed(tests, pl.concat(counts), people, rules)
    fates = served.fates() if served else {}
    return Judged(days, rules, results, together, pl.concat(funnels), nameless, starts is None, fates)


def _analysed(
    tests: Sequence[Plan], counts: pl.DataFrame, people: People, rules: Rules
) -> tuple[tuple[TemplateResult, ...], tuple[OverallResult, ...]]:
    firsts = {
        plan.template: first_judged_day(counts.filter(pl.col("template") == plan.template), plan) for plan in tests
    }
    begun = {template: day for template, day in firsts.items() if day is not None}
    judged = _since(counts, begun)
    sums = added([person_sums(_since(rows, begun)) for rows in people.parts()])
    results = analyse(counts, tests, moments=moments(sums, judged), rules=rules)
    moves = weights(results, rules)
    squares: dict[str, float] = {}
    for rows in people.parts() if moves.height else ():
        for metric, square in person_squares(_since(rows, begun), moves).items():
            squares[metric] = squares.get(metric, 0.0) + square
    return results, overall(results, rules, squares=squares)


def write_results(org: Org, lake: Lake, judged: Judged, *, note: dict[str, str] | None = None) -> int:
    """Replace the results of the period's last day in experiment_results; returns how many rows."""
    last = judged.days.last
    rows = results_frame(judged.results, judged.overall).with_columns(pl.lit(last, pl.Date).alias("event_date"))
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in EXPERIMENT_RESULTS.schema.items())
    with lake.replacing(org.slug, EXPERIMENT_RESULTS, Days(last, last), note=note) as writer:
        return writer.write(last, rows)


def _since(rows: FrameT, firsts: Mapping[str, date]) -> FrameT:
    """The rows of each template from its first judged day on; none of a template without one."""
    days = [(pl.col("template") == name) & (pl.col("cohort_date") >= day) for name, day in firsts.items()]
    return rows.filter(pl.any_horizontal(days) if days else pl.lit(value=False))
