"""Could this experiment see the lift one hopes for, and how many more days does it take?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.sequential import critical, spread

_HORIZON_DAYS = 3650


def power_now(treatment: Arm, control: Arm, rules: Rules) -> float | None:
    """Chance that one look at today's sample shows the target lift, if it is there (statsmodels, two-sided).

    None when it cannot be said: an arm is empty, the control has no success yet, or the lifted rate would exceed 1.
    """
    from statsmodels.stats.proportion import power_proportions_2indep

    base = control.rate
    if not treatment.messages or not base or base * (1 + rules.target_lift) >= 1:
        return None
    result = power_proportions_2indep(
        base * rules.target_lift,
        base,
        treatment.effective_messages,
        ratio=control.effective_messages / treatment.effective_messages,
        alpha=rules.alpha,
        return_results=False,
    )
    return float(np.clip(result, 0.0, 1.0))


@dataclass(frozen=True)
class _Plan:
    """Two arms of so many independent messages, at the control's rate p₀ and a lift that is really there.

    The target is a lift of the CONTROL's rate, while I and τ (sequential.py) are taken at the pooled rate p̄, which the
    lift itself raises. The estimate then lies L·p₀·√I standard errors from 0, its error under that lift is not 1 but

        ρ = √( (p₁q₁/n₁ + p₀q₀/n₀) · I )

    of them, and it has to pass c(I): the asked power is reached where  L·p₀·√I ≥ c(Iτ²) + z_power · ρ.
    """

    rate: float
    treatment: float
    control: float

    def margin(self, lift: float, rules: Rules) -> float:
        """How far beyond the asked power the lift would be seen, in standard errors; below 0: not seen often enough."""
        from scipy.stats import norm

        n1, n0, p0, p1 = self.treatment, self.control, self.rate, self.rate * (1 + lift)
        known = float(spread(n1 * p1, n1, n0 * p0, n0, target_lift=rules.target_lift))
        if known <= 0:
            return -math.inf
        pooled = (n1 * p1 + n0 * p0) / (n1 + n0)
        information = known / (rules.target_lift * pooled) ** 2
        error = math.sqrt((p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * information)
        reach = float(critical(known, alpha=rules.alpha)) + float(norm.isf(1 - rules.power)) * error
        return lift * p0 * math.sqrt(information) - reach


def _rate_to_plan_with(treatment: Arm, control: Arm) -> float | None:
    """The control's rate; None while nothing can be said (see `spread`)."""
    successes = treatment.successes + control.successes
    if not treatment.messages or not control.rate or successes == treatment.messages + control.messages:
        return None
    return control.rate


def detectable_lift(treatment: Arm, control: Arm, rules: Rules) -> float | None:
    """Smallest relative lift that today's sample would show in the always-valid interval with the asked power.

    None while nothing can be said, the control has no success, or not even a rate of 1 would show.
    """
    rate = _rate_to_plan_with(treatment, control)
    if rate is None or rate >= 1:
        return None
    plan = _Plan(rate, treatment.effective_messages, control.effective_messages)
    low, high = 0.0, (1 - 1e-9) / rate - 1
    if plan.margin(high, rules) < 0:
        return None
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if plan.margin(middle, rules) >= 0 else (middle, high)
    return high


def days_left(
    treatment: Arm, control: Arm, rules: Rules, *, treatment_per_day: float, control_per_day: float
) -> int | None:
    """Days until the target lift would show in the always-valid interval, at this pace; 0: it would now.

    Args:
        treatment: counts so far.
        control: counts so far.
        rules: target lift (of the control's rate), confidence and power.
        treatment_per_day: messages a day that the treatment will receive.
        control_per_day: messages a day that the control will receive.

    Returns:
        Whole days; None when it cannot be said (no success yet, or the lifted rate would exceed 1) or would take longer
        than ten years at this pace.
    """
    rate = _rate_to_plan_with(treatment, control)
    if rate is None or rate * (1 + rules.target_lift) >= 1:
        return None

    def reached(days: int) -> bool:
        n1 = treatment.effective_messages + days * treatment_per_day / treatment.design_effect
        n0 = control.effective_messages + days * control_per_day / control.design_effect
        return _Plan(rate, n1, n0).margin(rules.target_lift, rules) >= 0

    if reached(0):
        return 0
    if not reached(_HORIZON_DAYS):
        return None
    low, high = 0, _HORIZON_DAYS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
