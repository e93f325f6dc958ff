"""All templates of an org together: does the new copy help, on the whole?

Templates differ in size, rate and split, and shares move from day to day, so counts are never poured together
(Simpson's paradox): each send day of each template is a stratum. The common ratio of rates is Mantel & Haenszel's, its
variance Greenland & Robins' (1985, "Estimation of a common effect parameter from sparse follow-up data", Biometrics
41), good for few large strata and many sparse ones:

    RR = R/S,   R = Σ x₁n₀/N,   S = Σ x₀n₁/N
    Var(ln RR) = Σ (n₁n₀(x₁+x₀) − x₁x₀N)/N² / (R·S)

statsmodels has the pooled ratio but not this variance. Counts are effective ones (cluster.py) where users are known.

That variance takes templates as independent, and they are not: one person receives several of them, and where a person
is held out of all of them every template has the same control. With h = n₁n₀/N, R = Σ h·p̂₁ and S = Σ h·p̂₀; linearised
(the delta method, weights h as given), ln RR moves by the sum over people of

    ψᵤ = Σ over strata  h/(n₁R) · (xᵤ₁ − p̂₁mᵤ₁)  −  h/(n₀S) · (xᵤ₀ − p̂₀mᵤ₀)

with m and x a person's messages and successes in the arm that day, and Σψᵤ² is its variance, clustered by person across
templates (the sandwich of Liang & Zeger 1986, Biometrika 73). It needs a second pass over the people, with the weights
(`weights`, `person_squares`). The larger of the two variances is used: where every message is drawn anew, what the arms
of a person share cancels in Σψᵤ², and leaving that out makes the interval wider, never narrower, than need be.

The always-valid interval puts c(I) in the place of 1.96, with I = 1/Var(ln RR) and τ = ln(1 + target lift).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

import polars as pl

from justai_assets.experiments.arm_pairs import People
from justai_assets.experiments.arms import CONTROL, TREATMENT, Arm, Variance
from justai_assets.experiments.clustered_variance import WEIGHTS, clusters
from justai_assets.experiments.comparison import is_enough, strata_of
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.holm_correction import holm
from justai_assets.experiments.intervals import two_sided_critical, two_sided_p
from justai_assets.experiments.metric_names import higher_is_better, label
from justai_assets.experiments.result_records import Comparison, Estimate, MetricResult, Reading, TemplateResult
from justai_assets.experiments.sequential import always_valid_p, critical

_BY_MESSAGE: Final = (
    "People are not known by a key in every template, so somebody who receives several templates counts as several "
    "people: the interval may be too narrow."
)


@dataclass(frozen=True)
class OverallResult:
    """One metric over all comparable templates, in the org's own window.

    Attributes:
        metric: see metric.py.
        window_hours: hours after the send; 0 when templates' windows differ.
        templates: how many took part: a control, an unbroken split, the minimum sample.
        messages: sends behind it, both arms; one that several templates share counts in each.
        lift: Mantel–Haenszel, relative.
        p_value: for one look; None without templates.
        always_valid_p: for a look every day.
        always_valid_p_adjusted: after Holm over the metrics.
        variance: clustered by `user` across templates, `partly`, or by `message`.
        note: the limit of what is said; empty when there is none.
        alpha: error that `reading` allows over all days and metrics together.
    """

    metric: str
    window_hours: int
    templates: int
    messages: int
    lift: Estimate
    p_value: float | None
    always_valid_p: float | None
    always_valid_p_adjusted: float | None
    variance: Variance = "message"
    note: str = ""
    alpha: float = 0.05

    @property
    def reading(self) -> Reading:
        """What the corrected always-valid p-value says: better, worse, undecided, or too few to be said."""
        if self.lift.value is None or self.always_valid_p_adjusted is None:
            return "too few"
        if self.always_valid_p_adjusted > self.alpha:
            return "undecided"
        return "better" if (self.lift.value > 0) == higher_is_better(self.metric) else "worse"

    @property
    def sentence(self) -> str:
        """The reading in a sentence."""
        name = label(self.metric)
        if self.lift.value is None:
            return f"{name}: no template has enough messages with both copies yet."
        over = f"over {self.templates} {'template' if self.templates == 1 else 'templates'} together"
        said = {
            "better": "the new copies do better than the controls",
            "worse": "the new copies do worse than the controls",
            "undecided": "no difference is sure yet",
            "too few": "too few to say",
        }[self.reading]
        return f"{name}: {said}, {over}."


@dataclass(frozen=True)
class _Template:
    """A template that takes part, with its send days as strata.

    Attributes:
        plan: its test.
        metric: the metric.
    """

    plan: Plan
    metric: MetricResult

    @property
    def found(self) -> Comparison:
        return self.metric.comparison

    @property
    def arms(self) -> tuple[tuple[str, Arm], tuple[str, Arm]]:
        return (TREATMENT, self.found.treatment), (CONTROL, self.found.control)

    @cached_property
    def days(self) -> list[tuple[date | None, float, dict[str, tuple[float, float]]]]:
        """Each day on which both arms sent: the day, h, and arm → messages and rate."""
        known = sorted({*(self.found.treatment.days or {}), *(self.found.control.days or {})})
        days: list[date | None] = [*known] or [None]
        found: list[tuple[date | None, float, dict[str, tuple[float, float]]]] = []
        for day, (x1, n1, x0, n0) in zip(days, strata_of(self.found.treatment, self.found.control), strict=True):
            if n1 > 0 and n0 > 0:
                # h in effective messages; messages as they were sent.
                sent = n1 * self.found.treatment.design_effect, n0 * self.found.control.design_effect
                arms = {TREATMENT: (sent[0], x1 / n1), CONTROL: (sent[1], x0 / n0)}
                found.append((day, n1 * n0 / (n1 + n0), arms))
        return found

    @property
    def sums(self) -> tuple[float, float, float]:
        """What the template adds to R, to S, and to Σ (n₁n₀(x₁+x₀) − x₁x₀N)/N²."""
        r = s = square = 0.0
        for x1, n1, x0, n0 in strata_of(self.found.treatment, self.found.control):
            if n1 > 0 and n0 > 0:
                total = n1 + n0
                r, s = r + x1 * n0 / total, s + x0 * n1 / total
                square += (n1 * n0 * (x1 + x0) - x1 * x0 * total) / total**2
        return r, s, square


def overall(
    results: Sequence[TemplateResult], rules: Rules, *, people: People | None = None
) -> tuple[OverallResult, ...]:
    """The lift over all templates, metric by metric; metrics in the order in which they first appear.

    Args:
        results: the templates' results.
        rules: thresholds.
        people: gives the people behind the counts, in parts (cluster.py). Without them the variance is by message
            across templates, and the result says so.
    """
    strata = _strata(results, rules)
    squares: dict[str, float] = {}
    if people is not None:
        numbers = {at: metric for at, metric in enumerate(strata)}
        weights = [_weights(at, metric, strata[metric][1]) for at, metric in numbers.items()]
        found = clusters(people(), pl.concat([pl.DataFrame(schema=WEIGHTS), *weights]))
        squares = {numbers[at]: one.squares for at, one in found.items()}
    pooled = [
        _pooled(metric, windows, templates, rules, squares.get(metric))
        for metric, (windows, templates) in strata.items()
    ]
    adjusted = holm([one.always_valid_p for one in pooled])
    return tuple(replace(one, always_valid_p_adjusted=p) for one, p in zip(pooled, adjusted, strict=True))


def _weights(number: int, metric: str, strata: Sequence[_Template]) -> pl.DataFrame:
    """WEIGHTS of the templates and send days that take part."""
    r, s = (sum(one.sums[at] for one in strata) for at in (0, 1))
    rows = []
    for one in strata if r > 0 and s > 0 else ():
        for day, h, arms in one.days:
            for name, (messages, rate) in arms.items():
                each = h / (messages * (r if name == TREATMENT else -s))
                names = (number, one.plan.template, name, None, day, metric, one.metric.window_hours)
                rows.append((*names, -each * rate, each))
    return pl.DataFrame(rows, schema=WEIGHTS, orient="row")


def _strata(results: Sequence[TemplateResult], rules: Rules) -> dict[str, tuple[set[int], list[_Template]]]:
    found: dict[str, tuple[set[int], list[_Template]]] = {}
    for result in results:
        usable = result.plan.has_control and not (result.sample_ratio and result.sample_ratio.is_broken)
        for metric in result.metrics:
            if metric.is_own_window:
                windows, strata = found.setdefault(metric.metric, (set(), []))
                windows.add(metric.window_hours)
                if usable and is_enough(metric.comparison.treatment, metric.comparison.control, rules):
                    strata.append(_Template(result.plan, metric))
    return found


def _pooled(
    metric: str, windows: set[int], strata: Sequence[_Template], rules: Rules, squares: float | None
) -> OverallResult:
    hours = next(iter(windows)) if len(windows) == 1 else 0
    r, s, spread_sum = (sum(one.sums[at] for one in strata) for at in (0, 1, 2))
    if not strata or spread_sum <= 0:
        nothing = Estimate(None, None, None, None, None)
        return OverallResult(metric, hours, len(strata), 0, nothing, None, None, None)
    if len(strata) == 1:
        return _of_one(metric, strata[0].metric, rules)
    variances = {one.found.variance for one in strata} if squares is not None else {"message"}
    variance: Variance = variances.pop() if len(variances) == 1 else "partly"
    alone = _alone(strata, r, s, with_people=squares is not None)
    square = max(spread_sum / (r * s), (squares or 0.0) + alone)
    log_ratio, error = math.log(r / s), math.sqrt(square)
    known = (math.log1p(rules.target_lift) / error) ** 2
    one_look, every_day = two_sided_critical(rules.alpha), float(critical(known, alpha=rules.alpha))

    def end(critical_value: float) -> float:
        return math.exp(log_ratio + critical_value * error) - 1

    return OverallResult(
        metric=metric,
        window_hours=hours,
        templates=len(strata),
        messages=sum(arm.messages for one in strata for _, arm in one.arms),
        lift=Estimate(r / s - 1, end(-one_look), end(one_look), end(-every_day), end(every_day)),
        p_value=float(two_sided_p(log_ratio / error)),
        always_valid_p=float(always_valid_p(log_ratio / error, known)),
        always_valid_p_adjusted=None,
        variance=variance,
        alpha=rules.alpha,
        note="" if variance == "user" else _BY_MESSAGE,
    )


def _of_one(metric: str, one: MetricResult, rules: Rules) -> OverallResult:
    """A single template says over all what it says of itself."""
    found = one.comparison
    return OverallResult(
        metric=metric,
        window_hours=one.window_hours,
        templates=1,
        messages=found.treatment.messages + found.control.messages,
        lift=found.lift,
        p_value=found.p_value,
        always_valid_p=found.always_valid_p,
        always_valid_p_adjusted=None,
        variance=found.variance,
        alpha=rules.alpha,
    )


def _alone(strata: Sequence[_Template], r: float, s: float, *, with_people: bool) -> float:
    """What messages without a key add to Σψᵤ², each a person of its own at the arm's rate of the day.

    A message of several templates, of a control that they share, is one message: what it moves in each is added up
    before it is squared.
    """
    moved: dict[tuple[str, str, date | None], list[tuple[float, float]]] = {}
    for one in strata:
        for name, arm in one.arms:
            keyed = arm.known_messages if with_people else 0
            # Which day they were sent on is not known: every day has its share of them. What is assumed of people
            # whom nobody knows holds here too.
            share = (arm.messages - keyed) / arm.messages * (arm.design_effect if one.metric.people else 1.0)
            ids = one.plan.control_id if name == CONTROL else one.plan.treatment_id
            for day, h, arms in one.days:
                messages, rate = arms[name]
                each = h / (messages * (r if name == TREATMENT else -s))
                key = (ids or f"{one.plan.template} {name}", name, day)
                moved.setdefault(key, []).append((each, share * messages * rate * (1 - rate)))
    return sum(sum(each for each, _ in parts) ** 2 * max(each for _, each in parts) for parts in moved.values())
