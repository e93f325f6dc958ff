"""Counts in, results out: every template, metric and window of an org."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from justai_assets.metrics.experiments.arms import ARMS, CONTROL, TREATMENT, Arm
from justai_assets.metrics.experiments.cluster import Moments, design_effect
from justai_assets.metrics.experiments.compare import compare, corrected
from justai_assets.metrics.experiments.counts import checked, first_judged_day
from justai_assets.metrics.experiments.decide import decide
from justai_assets.metrics.experiments.errors import ExperimentError
from justai_assets.metrics.experiments.metric import ENGAGEMENT_METRICS
from justai_assets.metrics.experiments.power import days_left, detectable_lift, power_now
from justai_assets.metrics.experiments.results import (
    Comparison,
    DailyLift,
    MetricResult,
    TemplateResult,
    VariantResult,
)
from justai_assets.metrics.experiments.rules import Plan, Rules
from justai_assets.metrics.experiments.sample_ratio import SampleRatio, check_ratio

_DEFAULT_RULES = Rules()
_PACE_DAYS = 7
_DRAWN_DAYS = 90
_MomentKey = tuple[str, str, int, str | None]


def analyse(
    counts: pl.DataFrame, plans: Sequence[Plan], *, moments: pl.DataFrame | None = None, rules: Rules = _DEFAULT_RULES
) -> tuple[TemplateResult, ...]:
    """Judge every planned template.

    Args:
        counts: COUNTS (counts.py); several rows of one key are added up; templates without a plan are ignored.
        plans: what is tested, and how.
        moments: MOMENTS (cluster.py), where people are known by a key, over the messages that are compared: those of
            `first_judged_day` on. An arm without them is measured by message, and the result says so.
        rules: thresholds.

    Returns:
        One result a plan, in that order.

    Raises:
        ExperimentError: the counts are malformed, or the moments are over other messages than the counts.
    """
    counts = checked(counts)
    return tuple(
        _Template(
            plan,
            counts.filter(pl.col("template") == plan.template),
            None if moments is None else moments.filter(pl.col("template") == plan.template),
            rules,
        ).result()
        for plan in plans
    )


class _Template:
    """One template's counts, and the ways to sum them."""

    def __init__(self, plan: Plan, counts: pl.DataFrame, moments: pl.DataFrame | None, rules: Rules) -> None:
        self.plan, self.rules = plan, rules
        self.moments = {} if moments is None else _by_key(moments)
        self.first_day = first_judged_day(counts, plan)
        # Before there is a common day nothing is compared; what is there is described.
        before = pl.col("cohort_date") < (self.first_day or plan.start or date.min)
        self.left_out = _sends(counts.filter(before))
        self.counts = counts.filter(~before)
        self.last_day = _edge(self.counts, first=False)
        _same_messages(plan.template, self.counts, self.moments)

    def result(self) -> TemplateResult:
        found = self._corrected([self._metric(*row) for row in self._metric_rows()])
        ratio = self._ratio()
        days = 0 if self.first_day is None or self.last_day is None else (self.last_day - self.first_day).days + 1
        return TemplateResult(
            plan=self.plan,
            first_day=self.first_day,
            last_day=self.last_day,
            messages_left_out=self.left_out,
            metrics=tuple(found),
            sample_ratio=ratio,
            decision=decide(self.plan, found, ratio, self.rules, days=days),
        )

    def _metric_rows(self) -> list[tuple[str, int, bool]]:
        rows = self.counts.select("metric", "window_hours", "is_own_window").unique().rows()
        order = {name: at for at, name in enumerate(ENGAGEMENT_METRICS)}

        def rank(row: tuple[str, int, bool]) -> tuple[object, ...]:
            metric, hours, own = row
            return (not (own and metric == self.plan.key_metric), not own, order.get(metric, 9), metric, hours)

        return sorted(rows, key=rank)

    def _metric(self, metric: str, hours: int, own: bool) -> MetricResult:
        rows = self.counts.filter(
            (pl.col("metric") == metric) & (pl.col("window_hours") == hours) & (pl.col("is_own_window") == own)
        )
        total = {arm: self._arm(rows.filter(pl.col("arm") == arm), arm, metric, hours) for arm in ARMS}
        copies = self._copies(rows, metric, hours)
        is_key = own and metric == self.plan.key_metric
        days, pairs = self._cumulative(total) if is_key and self.plan.has_control else ([], [])
        whole, *rest = compare(
            [(total[TREATMENT], total[CONTROL]), *((arm, total[CONTROL]) for _, arm in copies), *pairs], self.rules
        )
        treatment, control = whole.treatment, whole.control
        pace = {arm: _pace(rows.filter(pl.col("arm") == arm), self.last_day) for arm in ARMS}
        return MetricResult(
            metric=metric,
            window_hours=hours,
            is_own_window=own,
            is_key=is_key,
            comparison=whole,
            power=power_now(treatment, control, self.rules),
            detectable_lift=detectable_lift(treatment, control, self.rules),
            days_left=days_left(
                treatment, control, self.rules, treatment_per_day=pace[TREATMENT], control_per_day=pace[CONTROL]
            ),
            daily=tuple(DailyLift(day, one) for day, one in zip(days, rest[len(copies) :], strict=True)),
            variants=variants_of([copy for copy, _ in copies], rest[: len(copies)], self.rules),
        )

    def _arm(self, rows: pl.DataFrame, arm: str, metric: str, hours: int, copy_id: str | None = None) -> Arm:
        daily = rows.group_by("cohort_date").agg(pl.col("messages", "successes").sum()).sort("cohort_date")
        days = {day: (n, x) for day, n, x in daily.rows()}
        messages, successes = (sum(counts[at] for counts in days.values()) for at in (0, 1))
        sums = self.moments.get((arm, metric, hours, copy_id))
        if sums is None:
            return Arm(messages, successes, days=days)
        return Arm(messages, successes, sums.users, design_effect(sums), sums.keyed_messages, days)

    def _copies(self, rows: pl.DataFrame, metric: str, hours: int) -> list[tuple[str, Arm]]:
        treated = rows.filter((pl.col("arm") == TREATMENT) & pl.col("copy_id").is_not_null())
        names = treated.get_column("copy_id").unique().sort().to_list()
        return [
            (name, self._arm(treated.filter(pl.col("copy_id") == name), TREATMENT, metric, hours, name))
            for name in names
        ]

    def _cumulative(self, total: dict[str, Arm]) -> tuple[list[date], list[tuple[Arm, Arm]]]:
        """The arms up to some of the send days, the last one among them: a drawing has no more points to show."""
        known = {arm: dict(total[arm].days or {}) for arm in ARMS}
        days = sorted({*known[TREATMENT], *known[CONTROL]})
        days = days[:: -max(1, -(-len(days) // _DRAWN_DAYS))][::-1]

        def until(arm: str, day: date) -> Arm:
            so_far = {one: counts for one, counts in known[arm].items() if one <= day}
            messages, successes = (sum(counts[at] for counts in so_far.values()) for at in (0, 1))
            return replace(total[arm], messages=messages, successes=successes, days=so_far)

        return days, [(until(TREATMENT, day), until(CONTROL, day)) for day in days]

    def _corrected(self, found: list[MetricResult]) -> list[MetricResult]:
        # The key metric was chosen in advance and the other windows repeat a metric: neither is one of several guesses.
        family = [at for at, one in enumerate(found) if one.is_own_window and not one.is_key]
        for at, one in zip(family, corrected([found[at].comparison for at in family]), strict=True):
            found[at] = replace(found[at], comparison=one)
        return found

    def _ratio(self) -> SampleRatio | None:
        if not self.plan.has_control or self.plan.control_share is None:
            return None
        if self.plan.split_unit == "message":
            units = {arm: _sends(self.counts.filter(pl.col("arm") == arm)) for arm in ARMS}
        else:
            whole = {arm: [m for key, m in self.moments.items() if key[0] == arm and key[3] is None] for arm in ARMS}
            # A message without a key is nobody known: counting it as a person would call an honest split broken.
            people = {
                arm: [m.users for m in found if m.keyed_messages in (None, m.messages)] for arm, found in whole.items()
            }
            if not all(people.values()):
                return None
            units = {arm: max(people[arm]) for arm in ARMS}
        return check_ratio(
            units[TREATMENT],
            units[CONTROL],
            control_share=self.plan.control_share,
            unit=self.plan.split_unit,
            threshold=self.rules.ratio_threshold,
        )


def variants_of(names: Sequence[str], comparisons: Sequence[Comparison], rules: Rules) -> tuple[VariantResult, ...]:
    """Each copy's comparison, corrected over the copies that have the minimum of messages."""
    found = list(comparisons)
    # Chosen by messages, never by outcome, or the correction would not hold.
    asked = [at for at, one in enumerate(found) if one.treatment.messages >= rules.minimum_messages]
    for at, one in zip(asked, corrected([found[at] for at in asked]), strict=True):
        found[at] = one
    return tuple(VariantResult(name, one) for name, one in zip(names, found, strict=True))


def _by_key(moments: pl.DataFrame) -> dict[_MomentKey, Moments]:
    names = ("users", "messages", "successes", "messages_squared", "successes_squared", "cross", "keyed_messages")
    return {
        (row["arm"], row["metric"], row["window_hours"], row["copy_id"]): Moments(*(row[name] for name in names))
        for row in moments.iter_rows(named=True)
    }


def _same_messages(template: str, counts: pl.DataFrame, moments: dict[_MomentKey, Moments]) -> None:
    whole = counts.group_by("arm", "metric", "window_hours").agg(pl.col("messages", "successes").sum())
    for arm, metric, hours, messages, successes in whole.rows():
        sums = moments.get((arm, metric, hours, None))
        if sums is not None and (sums.messages, sums.successes) != (messages, successes):
            raise ExperimentError(
                f"{template} / {arm} / {metric}: counts and per-user moments are over different messages",
                mend="build both from the same cohorts",
            )


def _sends(rows: pl.DataFrame) -> int:
    # Every metric repeats the sends; the widest one has them all.
    per_metric = rows.group_by("metric", "window_hours", "is_own_window").agg(pl.col("messages").sum())
    return int(per_metric["messages"].max() or 0) if per_metric.height else 0  # type: ignore[arg-type]


def _edge(rows: pl.DataFrame, *, first: bool) -> date | None:
    days = rows.filter(pl.col("messages") > 0).get_column("cohort_date")
    found = days.min() if first else days.max()
    return found if isinstance(found, date) else None


def _pace(rows: pl.DataFrame, last_day: date | None) -> float:
    if last_day is None:
        return 0.0
    recent = rows.filter(pl.col("cohort_date") > last_day - timedelta(days=_PACE_DAYS))
    first = _edge(rows, first=True)
    days = _PACE_DAYS if first is None else min(_PACE_DAYS, (last_day - first).days + 1)
    return float(recent["messages"].sum()) / days
