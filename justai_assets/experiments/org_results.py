"""An org's experiments, from the lake to judged results, a send day at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import EXPERIMENT_RESULTS, MESSAGE_OUTCOMES
from justai_assets.experiments.all_templates import OverallResult, overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.copy_daily import (
    copy_counts,
    counts_of,
    people_of,
    plans,
    sends_without_message,
)
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.false_discovery import Discoveries, discoveries
from justai_assets.experiments.funnel import funnel_of
from justai_assets.experiments.people_parts import People
from justai_assets.experiments.result_records import TemplateResult
from justai_assets.experiments.results_table import results_frame
from justai_assets.experiments.revenue import with_revenue
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import has_value
from justai_assets.orgs.org_model import Org

DEFAULT_DAYS: Final = 30


@dataclass(frozen=True)
class Judged:
    """The experiments of an org.

    Attributes:
        days: send days that the funnel shows.
        rules: thresholds they were judged by.
        results: one a template, in the org file's order.
        overall: all templates together, by metric.
        discoveries: which templates differ at the org's false-discovery rate; None where it names none.
        funnel: FUNNEL, by template, arm and send day.
        sends_without_message: sends of the arms on the days that nothing can be joined to.
        is_chosen: the days were chosen by hand and the templates judged over them, not from their starts on.
    """

    days: Days
    rules: Rules
    results: tuple[TemplateResult, ...]
    overall: tuple[OverallResult, ...]
    discoveries: Discoveries | None
    funnel: pl.DataFrame
    sends_without_message: int
    is_chosen: bool


def rules_of(org: Org) -> Rules:
    """The thresholds of an org file."""
    settings = org.experiments
    return Rules(
        target_lift=settings.target_lift,
        minimum_days=settings.minimum_days,
        false_discovery_rate=settings.false_discovery_rate,
    )


def last_days(org: Org, lake: Lake, today: date, days: int = DEFAULT_DAYS) -> Days | None:
    """The last `days` days up to the newest that holds sends, none before the org's start; None without any send."""
    known = Days(org.start_date, max(today, org.start_date))
    filled = [day for day, rows in lake.counts(org.slug, MESSAGE_OUTCOMES, known).items() if rows]
    if not filled:
        return None
    return Days(max(org.start_date, max(filled) - timedelta(days=days - 1)), max(filled))


def judge(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    starts: Mapping[str, date] | None = None,
    on_day: Callable[[date], None] = lambda _: None,
    now: datetime | None = None,
) -> Judged:
    """Judge every template by the cohorts of copy_daily, with the people behind them from message_outcomes.

    Args:
        org: the org.
        lake: the lake; nothing is written.
        days: send days to show; the last one is the last that is judged.
        starts: template → first send day judged (starts.py); a template that is not in it is judged over `days`. None:
            every template is. Intervals that may be read every day ask for a start that stays.
        on_day: called after each day that was read.
        now: the current time, UTC; send days whose windows are open then are not judged. None: now.

    A day that copy_daily holds by another org file (a new template, another window) is counted again here, from
    message_outcomes. Memory holds the people of one send day, or a sixteenth of many people, at a time.
    """
    now = now or datetime.now(UTC)
    begins = {one.id: min(days.first, (starts or {}).get(one.id, days.first)) for one in org.templates}
    whole = Days(min([days.first, *begins.values()]), days.last)
    rows, nameless = copy_counts(org, lake, whole), 0
    with TemporaryDirectory(prefix="justai-people-") as folder:
        people = People(Path(folder))
        for day in whole:
            outcomes = lake.scan(org.slug, MESSAGE_OUTCOMES, Days(day, day))
            people.add(day, people_of(outcomes, org))
            if day in days:
                nameless += sends_without_message(outcomes, org.templates)
            on_day(day)
        begun = pl.any_horizontal(
            [(pl.col("template") == name) & (pl.col("cohort_date") >= day) for name, day in begins.items()] or [False]
        )
        tests = plans(org.templates, org.experiments.assumed_design_effect)
        tests = tuple(replace(one, start=(starts or {}).get(one.template, one.start)) for one in tests)
        rules = rules_of(org)
        results = analyse(counts_of(rows).filter(begun), tests, people=people.parts, rules=rules, now=now)
        if has_value(org):
            paid = rows.rename({"send_date": "cohort_date"}).filter(begun)
            results = with_revenue(results, paid, people=people.parts, rules=rules, now=now)
        together = overall(results, rules, people=people.parts)
    rate = rules.false_discovery_rate
    differ = None if rate is None else discoveries(results, rate, alpha=rules.alpha)
    shown = rows.filter(pl.col("send_date").is_between(days.first, days.last))
    return Judged(days, rules, results, together, differ, funnel_of(shown), nameless, starts is None)


def write_results(
    org: Org, lake: Lake, judged: Judged, *, note: dict[str, str] | None = None, until: date | None = None
) -> int:
    """Replace the results of the period's last day in experiment_results; returns how many rows.

    Results of later days, up to `until`, go: a day that has lost its sends must not stay the newest judgement.
    """
    last = judged.days.last
    rows = results_frame(judged.results, judged.overall, judged.discoveries).with_columns(
        pl.lit(last, pl.Date).alias("event_date")
    )
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in EXPERIMENT_RESULTS.schema.items())
    with lake.replacing(org.slug, EXPERIMENT_RESULTS, Days(last, max(last, until or last)), note=note) as writer:
        return writer.write(last, rows)
