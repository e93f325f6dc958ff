"""Counts in, results out: every template, metric and window of an org."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl

from justai_assets.contract.events import ENGAGEMENT_METRICS
from justai_assets.experiments.allocation import allocation
from justai_assets.experiments.arm_pairs import Pair, People, learn, unknown_of
from justai_assets.experiments.arms import ARMS, CONTROL, TREATMENT, Arm
from justai_assets.experiments.cohort_counts import checked
from justai_assets.experiments.comparison import compare, corrected
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.decisions import decide
from justai_assets.experiments.power import days_left, detectable_lift, power_now
from justai_assets.experiments.result_records import (
    Comparison,
    DailyLift,
    MetricResult,
    TemplateResult,
    VariantResult,
)
from justai_assets.experiments.sample_ratio import SampleRatio, check_ratio

_DEFAULT_RULES = Rules()
_PACE_DAYS = 7
_DRAWN_DAYS = 90
_Row = tuple[str, int, bool]
"""Metric, window_hours, is_own_window."""


def analyse(
    counts: pl.DataFrame,
    plans: Sequence[Plan],
    *,
    people: People | None = None,
    rules: Rules = _DEFAULT_RULES,
    now: datetime | None = None,
) -> tuple[TemplateResult, ...]:
    """Judge every planned template.

    Args:
        counts: COUNTS (counts.py); several rows of one key are added up; templates without a plan are ignored.
        plans: what is tested, and how.
        people: gives the people behind the counts, in parts (cluster.py); None: nobody is known by a key.
        rules: thresholds.
        now: the current time, UTC. A send day is judged for a window once every message of the day has had the whole
            window: who converts faster would otherwise look better. None: every day is.

    Returns:
        One result a plan, in that order.

    Raises:
        ExperimentError: the counts are malformed.
    """
    counts = checked(counts)
    templates = [_Template(plan, counts.filter(pl.col("template") == plan.template), rules, now) for plan in plans]
    pairs = [pair for template in templates for pair in template.all_pairs()]
    if people is not None and pairs:
        learn(pairs, people)
    return tuple(template.result() for template in templates)


def last_closed_day(now: datetime | None, window_hours: int) -> date:
    """The last send day all of whose messages have had their window at a moment."""
    if now is None:
        return date.max
    return (now - timedelta(hours=window_hours)).date() - timedelta(days=1)


class _Template:
    """One template's counts, and the ways to sum them."""

    def __init__(self, plan: Plan, counts: pl.DataFrame, rules: Rules, now: datetime | None) -> None:
        self.plan, self.rules, self.now = plan, rules, now
        day = pl.col("cohort_date")
        tested = counts.filter(day >= (plan.start or date.min), day <= (plan.end or date.max))
        self.sent = _sent(tested)
        self.allocation = allocation(self.sent)
        tested = tested.filter(day.is_in([one for one in self.sent if one in self.allocation]))
        self.left_out = sum(map(sum, _sent(counts).values())) - sum(map(sum, _sent(tested).values()))
        closed = {hours: last_closed_day(now, hours) for hours in tested["window_hours"].unique().to_list()}
        is_closed = day <= pl.col("window_hours").replace_strict(closed, default=None, return_dtype=pl.Date())
        self.filling = tested.filter(~is_closed)
        self.counts = tested.filter(is_closed)
        self.unknown = unknown_of(plan)
        self.pairs = {row: self._pairs(*row) for row in self._metric_rows()}
        self.split = self._split_pair()

    def all_pairs(self) -> list[Pair]:
        """Every pair of arms about whose people something is to be known."""
        split = [] if self.split is None else [self.split]
        return [pair for _, pairs in self.pairs.values() for pair in pairs] + split

    def result(self) -> TemplateResult:
        """Judge the template by what is known by now."""
        found = self._corrected([self._metric(*row) for row in self.pairs])
        ratio = self._ratio()
        key = next((row for row in self.pairs if row[2] and row[0] == self.plan.key_metric), None)
        rows = self.counts if key is None else _of(self.counts, *key)
        filling = self.filling if key is None else _of(self.filling, *key)
        days = rows.filter(pl.col("messages") > 0).get_column("cohort_date").unique().sort().to_list()
        unripe = sum(map(sum, _sent(filling).values()))
        end = self.plan.end
        return TemplateResult(
            plan=self.plan,
            allocation=self.allocation,
            first_day=days[0] if days else None,
            last_day=days[-1] if days else None,
            messages_left_out=self.left_out,
            messages_filling=unripe,
            metrics=tuple(found),
            sample_ratio=ratio,
            decision=decide(
                self.plan,
                found,
                ratio,
                self.rules,
                days=len(days),
                test=self.allocation,
                filling=unripe,
                is_over=end is not None and self.now is not None and self.now.date() > end,
            ),
        )

    def _metric_rows(self) -> list[_Row]:
        rows = self.counts.select("metric", "window_hours", "is_own_window").unique().rows()
        order = {name: at for at, name in enumerate(ENGAGEMENT_METRICS)}

        def rank(row: _Row) -> tuple[object, ...]:
            metric, hours, own = row
            return (not (own and metric == self.plan.key_metric), not own, order.get(metric, 9), metric, hours)

        return sorted(rows, key=rank)

    def _pairs(self, metric: str, hours: int, own: bool) -> tuple[list[str], list[Pair]]:
        """Both arms, then each copy and the control; and the copies' names."""
        rows = _of(self.counts, metric, hours, own)
        whole = {arm: _arm(rows.filter(pl.col("arm") == arm)) for arm in ARMS}
        treated = rows.filter((pl.col("arm") == TREATMENT) & pl.col("copy_id").is_not_null())
        copies = treated.get_column("copy_id").unique().sort().to_list()
        names = {"template": self.plan.template, "metric": metric, "window_hours": hours}
        treatments = [(None, whole[TREATMENT])]
        treatments += [(one, _arm(treated.filter(pl.col("copy_id") == one))) for one in copies]
        return copies, [
            Pair({**names, "copy_id": copy_id}, arm, whole[CONTROL], self.unknown) for copy_id, arm in treatments
        ]

    def _metric(self, metric: str, hours: int, own: bool) -> MetricResult:
        copies, pairs = self.pairs[metric, hours, own]
        (treatment, control, basis), *others = [pair.arms() for pair in pairs]
        is_key = own and metric == self.plan.key_metric
        days, daily = self._cumulative(treatment, control) if is_key and self.plan.has_control else ([], [])
        whole, *rest = compare([(treatment, control), *((one, other) for one, other, _ in others), *daily], self.rules)
        rows = _of(self.counts, metric, hours, own)
        last = _edge(rows)
        pace = {arm: _pace(rows.filter(pl.col("arm") == arm), last) for arm in ARMS}
        return MetricResult(
            metric=metric,
            window_hours=hours,
            is_own_window=own,
            is_key=is_key,
            comparison=whole,
            people=basis,
            power=power_now(treatment, control, self.rules),
            detectable_lift=detectable_lift(treatment, control, self.rules),
            days_left=days_left(
                treatment, control, self.rules, treatment_per_day=pace[TREATMENT], control_per_day=pace[CONTROL]
            ),
            daily=tuple(DailyLift(day, one) for day, one in zip(days, rest[len(copies) :], strict=True)),
            variants=variants_of(copies, rest[: len(copies)], self.rules),
        )

    def _cumulative(self, treatment: Arm, control: Arm) -> tuple[list[date], list[tuple[Arm, Arm]]]:
        """The arms up to some of the send days, the last one among them: a drawing has no more points to show."""
        days = sorted({*(treatment.days or {}), *(control.days or {})})
        days = days[:: -max(1, -(-len(days) // _DRAWN_DAYS))][::-1]

        def until(arm: Arm, day: date) -> Arm:
            so_far = {one: counts for one, counts in (arm.days or {}).items() if one <= day}
            messages, successes = (int(sum(counts[at] for counts in so_far.values())) for at in (0, 1))
            return replace(arm, messages=messages, successes=successes, days=so_far)

        return days, [(until(treatment, day), until(control, day)) for day in days]

    def _corrected(self, found: list[MetricResult]) -> list[MetricResult]:
        # The key metric was chosen in advance and the other windows repeat a metric: neither is one of several guesses.
        family = [at for at, one in enumerate(found) if one.is_own_window and not one.is_key]
        for at, one in zip(family, corrected([found[at].comparison for at in family]), strict=True):
            found[at] = replace(found[at], comparison=one)
        return found

    def _split_pair(self) -> Pair | None:
        """The people of the split are counted, whether or not their windows are closed."""
        sent = self.allocation.split(self.sent)
        if not sent or self.plan.split_unit != "user":
            return None
        arms = [Arm(sum(one[at] for one in sent.values()), 0, days={day: (one[at], 0) for day, one in sent.items()})
                for at in (0, 1)]  # fmt: skip
        names = {"template": self.plan.template, "metric": "", "window_hours": 0, "copy_id": None}
        return Pair(names, arms[0], arms[1], None)

    def _ratio(self) -> SampleRatio | None:
        sent = self.allocation.split(self.sent)
        if not self.plan.has_control or self.plan.control_share is None or not sent:
            return None
        units = {name: sum(one[at] for one in sent.values()) for at, name in enumerate(ARMS)}
        if self.split is not None:
            known = self.split.known
            # A message without a key is nobody known: counting it as a person would call an honest split broken.
            if sum(known.keyed.values()) < sum(units.values()):
                return None
            units = known.users
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


def _of(rows: pl.DataFrame, metric: str, hours: int, own: bool) -> pl.DataFrame:
    return rows.filter(
        (pl.col("metric") == metric) & (pl.col("window_hours") == hours) & (pl.col("is_own_window") == own)
    )


def _arm(rows: pl.DataFrame) -> Arm:
    daily = rows.group_by("cohort_date").agg(pl.col("messages", "successes").sum()).sort("cohort_date")
    days = {day: (n, x) for day, n, x in daily.rows()}
    messages, successes = (sum(counts[at] for counts in days.values()) for at in (0, 1))
    return Arm(messages, successes, days=days)


def _sent(rows: pl.DataFrame) -> dict[date, tuple[int, int]]:
    """Send day → messages of the treatment and of the control."""
    # Every metric repeats the sends; the widest one has them all.
    per_metric = rows.group_by("cohort_date", "arm", "metric", "window_hours", "is_own_window").agg(
        pl.col("messages").sum()
    )
    found: dict[date, dict[str, int]] = {}
    for day, arm, messages in per_metric.group_by("cohort_date", "arm").agg(pl.col("messages").max()).iter_rows():
        found.setdefault(day, {})[arm] = messages
    return {day: (arms.get(TREATMENT, 0), arms.get(CONTROL, 0)) for day, arms in sorted(found.items())}


def _edge(rows: pl.DataFrame) -> date | None:
    found = rows.filter(pl.col("messages") > 0).get_column("cohort_date").max()
    return found if isinstance(found, date) else None


def _pace(rows: pl.DataFrame, last_day: date | None) -> float:
    if last_day is None:
        return 0.0
    recent = rows.filter(pl.col("cohort_date") > last_day - timedelta(days=_PACE_DAYS))
    first = rows.filter(pl.col("messages") > 0).get_column("cohort_date").min()
    days = min(_PACE_DAYS, (last_day - first).days + 1) if isinstance(first, date) else _PACE_DAYS
    return float(recent["messages"].sum()) / days
