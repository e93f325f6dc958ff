"""Could this experiment see the lift one hopes for, and how many more days does it take?"""

from __future__ import annotations

import math

import numpy as np

from justai_assets.metrics.experiments.arms import Arm
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sequential import critical, spread

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


def needed_spread(rules: Rules) -> float:
    """I·τ² at which the always-valid interval excludes 0 with the asked power, if the true lift is the target.

    The estimate then lies √(Iτ²) standard errors from 0, give or take a normal error, and has to pass c(I): the root of
    √u = c(u) + z_power.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    margin = float(norm.isf(1 - rules.power))
    return float(brentq(lambda u: math.sqrt(u) - float(critical(u, alpha=rules.alpha)) - margin, 1e-6, 1e6))


def detectable_lift(treatment: Arm, control: Arm, rules: Rules) -> float | None:
    """Smallest relative lift that today's sample would show in the always-valid interval with the asked power.

    None while nothing can be said (see `spread`) or the control has no success.
    """
    from scipy.stats import norm

    known = _spread(treatment, control, rules)
    if known <= 0 or not control.rate:
        return None
    reach = float(critical(known, alpha=rules.alpha)) + float(norm.isf(1 - rules.power))
    # √spread counts standard errors per target lift of the pooled rate.
    pooled = (treatment.successes + control.successes) / (treatment.messages + control.messages)
    return reach / math.sqrt(known) * rules.target_lift * pooled / control.rate


def days_left(
    treatment: Arm, control: Arm, rules: Rules, *, treatment_per_day: float, control_per_day: float
) -> int | None:
    """Days until the target lift would show in the always-valid interval, at this pace; 0: it would now.

    Args:
        treatment: counts so far.
        control: counts so far.
        rules: target lift, confidence and power.
        treatment_per_day: messages a day that the treatment will receive.
        control_per_day: messages a day that the control will receive.

    Returns:
        Whole days; None when it cannot be said (no success yet) or would take longer than ten years at this pace.
    """
    known = _spread(treatment, control, rules)
    if known <= 0:
        return None
    needed = needed_spread(rules)

    def reached(days: int) -> bool:
        n1 = treatment.effective_messages + days * treatment_per_day / treatment.design_effect
        n0 = control.effective_messages + days * control_per_day / control.design_effect
        now = treatment.effective_messages * control.effective_messages
        now /= treatment.effective_messages + control.effective_messages
        return known * (n1 * n0 / (n1 + n0)) / now >= needed

    if reached(0):
        return 0
    if not reached(_HORIZON_DAYS):
        return None
    low, high = 0, _HORIZON_DAYS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _spread(treatment: Arm, control: Arm, rules: Rules) -> float:
    return float(
        spread(
            treatment.effective_successes,
            treatment.effective_messages,
            control.effective_successes,
            control.effective_messages,
            target_lift=rules.target_lift,
        )
    )
