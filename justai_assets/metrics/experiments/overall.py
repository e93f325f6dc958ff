"""All templates of an org together: does the new copy help, on the whole?

Templates differ in size, rate and split, so their counts are never poured together (Simpson's paradox); each is a
stratum. The common ratio of rates is Mantel & Haenszel's, its variance Greenland & Robins' (1985, "Estimation of a
common effect parameter from sparse follow-up data", Biometrics 41), good for few large strata and many sparse ones:

    RR = R/S,   R = Σ x₁n₀/N,   S = Σ x₀n₁/N
    Var(ln RR) = Σ (n₁n₀(x₁+x₀) − x₁x₀N)/N² / (R·S)

statsmodels has the pooled ratio but not this variance. Counts are effective ones (cluster.py) where users are known.
The always-valid interval puts c(I) in the place of 1.96, with I = 1/Var(ln RR) and τ = ln(1 + target lift).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from justai_assets.metrics.experiments.compare import is_enough
from justai_assets.metrics.experiments.corrections import holm
from justai_assets.metrics.experiments.intervals import two_sided_critical, two_sided_p
from justai_assets.metrics.experiments.results import Comparison, Estimate, TemplateResult
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sequential import always_valid_p, critical


@dataclass(frozen=True)
class OverallResult:
    """One metric over all comparable templates, in the org's own window.

    Attributes:
        metric: see metric.py.
        window_hours: hours after the send; 0 when templates' windows differ.
        templates: how many took part: a control, an unbroken split, the minimum sample.
        messages: sends behind it, both arms.
        lift: Mantel–Haenszel, relative.
        p_value: for one look; None without templates.
        always_valid_p: for a look every day.
        always_valid_p_adjusted: after Holm over the metrics.
    """

    metric: str
    window_hours: int
    templates: int
    messages: int
    lift: Estimate
    p_value: float | None
    always_valid_p: float | None
    always_valid_p_adjusted: float | None


def overall(results: Sequence[TemplateResult], rules: Rules) -> tuple[OverallResult, ...]:
    """The lift over all templates, metric by metric; metrics in the order in which they first appear."""
    strata: dict[str, list[Comparison]] = {}
    windows: dict[str, set[int]] = {}
    for result in results:
        usable = result.plan.has_control and not (result.sample_ratio and result.sample_ratio.is_broken)
        for metric in result.metrics:
            if metric.is_own_window:
                kept = strata.setdefault(metric.metric, [])
                windows.setdefault(metric.metric, set()).add(metric.window_hours)
                if usable and is_enough(metric.comparison.treatment, metric.comparison.control, rules):
                    kept.append(metric.comparison)
    found = [_pooled(name, windows[name], kept, rules) for name, kept in strata.items()]
    adjusted = holm([one.always_valid_p for one in found])
    return tuple(
        OverallResult(**{**one.__dict__, "always_valid_p_adjusted": p}) for one, p in zip(found, adjusted, strict=True)
    )


def _pooled(metric: str, windows: set[int], strata: Sequence[Comparison], rules: Rules) -> OverallResult:
    hours = next(iter(windows)) if len(windows) == 1 else 0
    r = s = spread_sum = 0.0
    for one in strata:
        x1, n1 = one.treatment.effective_successes, one.treatment.effective_messages
        x0, n0 = one.control.effective_successes, one.control.effective_messages
        total = n1 + n0
        r += x1 * n0 / total
        s += x0 * n1 / total
        spread_sum += (n1 * n0 * (x1 + x0) - x1 * x0 * total) / total**2
    if not strata or spread_sum <= 0:
        return OverallResult(metric, hours, len(strata), 0, Estimate(None, None, None, None, None), None, None, None)
    log_ratio, error = math.log(r / s), math.sqrt(spread_sum / (r * s))
    known = (math.log1p(rules.target_lift) / error) ** 2
    one_look, every_day = two_sided_critical(rules.alpha), float(critical(known, alpha=rules.alpha))

    def end(critical_value: float) -> float:
        return math.exp(log_ratio + critical_value * error) - 1

    return OverallResult(
        metric=metric,
        window_hours=hours,
        templates=len(strata),
        messages=sum(one.treatment.messages + one.control.messages for one in strata),
        lift=Estimate(r / s - 1, end(-one_look), end(one_look), end(-every_day), end(every_day)),
        p_value=float(two_sided_p(log_ratio / error)),
        always_valid_p=float(always_valid_p(log_ratio / error, known)),
        always_valid_p_adjusted=None,
    )
