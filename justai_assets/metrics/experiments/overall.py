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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

import polars as pl

from justai_assets.metrics.experiments.arms import CONTROL, TREATMENT, Arm, Variance
from justai_assets.metrics.experiments.compare import is_enough, strata_of
from justai_assets.metrics.experiments.corrections import holm
from justai_assets.metrics.experiments.intervals import two_sided_critical, two_sided_p
from justai_assets.metrics.experiments.metric import higher_is_better, label
from justai_assets.metrics.experiments.results import Comparison, Estimate, Reading, TemplateResult
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sequential import always_valid_p, critical

WEIGHTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "cohort_date": pl.Date(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "per_message": pl.Float64(),
        "per_success": pl.Float64(),
    }
)
"""By how much a message and a success of an arm on a send day move ln RR of a metric."""

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
        template: its id.
        window_hours: of the metric.
        found: its comparison.
    """

    template: str
    window_hours: int
    found: Comparison

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
    results: Sequence[TemplateResult], rules: Rules, *, squares: Mapping[str, float] | None = None
) -> tuple[OverallResult, ...]:
    """The lift over all templates, metric by metric; metrics in the order in which they first appear.

    Args:
        results: the templates' results.
        rules: thresholds.
        squares: metric → Σψᵤ² over the people known by a key (`person_squares`); without it the variance is by
            message across templates, and the result says so.
    """
    found = [
        _pooled(metric, windows, strata, rules, (squares or {}).get(metric))
        for metric, (windows, strata) in _strata(results, rules).items()
    ]
    adjusted = holm([one.always_valid_p for one in found])
    return tuple(replace(one, always_valid_p_adjusted=p) for one, p in zip(found, adjusted, strict=True))


def weights(results: Sequence[TemplateResult], rules: Rules) -> pl.DataFrame:
    """WEIGHTS of the templates, send days and metrics that take part."""
    rows = []
    for metric, (_, strata) in _strata(results, rules).items():
        r, s = (sum(one.sums[at] for one in strata) for at in (0, 1))
        if not strata or r <= 0 or s <= 0:
            continue
        for one in strata:
            for day, h, arms in one.days:
                for name, (messages, rate) in arms.items():
                    each = h / (messages * (r if name == TREATMENT else -s))
                    rows.append((one.template, name, day, metric, one.window_hours, -each * rate, each))
    return pl.DataFrame(rows, schema=WEIGHTS, orient="row")


def person_squares(people: pl.LazyFrame, weights: pl.DataFrame) -> dict[str, float]:
    """Metric → Σψᵤ² over people; those of disjoint sets of people add up.

    Args:
        people: rows of PEOPLE (cluster.py), of the messages that are compared.
        weights: WEIGHTS.
    """
    arm = ("template", "arm", "cohort_date")
    one = weights.lazy()
    sent = people.filter(pl.col("metric").is_null()).drop("metric", "window_hours")
    succeeded = people.filter(pl.col("metric").is_not_null())
    moves = pl.concat(
        [
            sent.join(one, on=arm, nulls_equal=True).select(
                "metric", "user", psi=pl.col("messages") * pl.col("per_message")
            ),
            succeeded.join(one, on=[*arm, "metric", "window_hours"], nulls_equal=True).select(
                "metric", "user", psi=pl.col("successes") * pl.col("per_success")
            ),
        ]
    )
    found = moves.group_by("metric", "user").agg(pl.col("psi").sum()).group_by("metric").agg((pl.col("psi") ** 2).sum())
    return dict(found.collect().iter_rows())


def _strata(results: Sequence[TemplateResult], rules: Rules) -> dict[str, tuple[set[int], list[_Template]]]:
    found: dict[str, tuple[set[int], list[_Template]]] = {}
    for result in results:
        usable = result.plan.has_control and not (result.sample_ratio and result.sample_ratio.is_broken)
        for metric in result.metrics:
            if metric.is_own_window:
                windows, strata = found.setdefault(metric.metric, (set(), []))
                windows.add(metric.window_hours)
                if usable and is_enough(metric.comparison.treatment, metric.comparison.control, rules):
                    strata.append(_Template(result.plan.template, metric.window_hours, metric.comparison))
    return found


def _pooled(
    metric: str, windows: set[int], strata: Sequence[_Template], rules: Rules, squares: float | None
) -> OverallResult:
    hours = next(iter(windows)) if len(windows) == 1 else 0
    r, s, spread_sum = (sum(one.sums[at] for one in strata) for at in (0, 1, 2))
    if not strata or spread_sum <= 0:
        nothing = Estimate(None, None, None, None, None)
        return OverallResult(metric, hours, len(strata), 0, nothing, None, None, None)
    variances = {one.found.variance for one in strata}
    variance: Variance = "message"
    square = spread_sum / (r * s)
    if squares is not None and "message" not in variances:
        variance = "partly" if "partly" in variances else "user"
        square = max(square, squares + _alone(strata, r, s))
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
        note="" if variance == "user" or len(strata) < 2 else _BY_MESSAGE,
    )


def _alone(strata: Sequence[_Template], r: float, s: float) -> float:
    """What messages without a key add to Σψᵤ², each a person of its own at the arm's rate of the day."""
    found = 0.0
    for one in strata:
        for name, arm in one.arms:
            keyed = arm.messages if arm.keyed_messages is None else arm.keyed_messages
            # Which day they were sent on is not known: every day has its share of them.
            share = (arm.messages - keyed) / arm.messages
            for _, h, arms in one.days:
                messages, rate = arms[name]
                each = h / (messages * (r if name == TREATMENT else s))
                found += share * messages * each**2 * rate * (1 - rate)
    return found
