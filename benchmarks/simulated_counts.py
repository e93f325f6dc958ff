"""Simulated counts of independent messages: splits, unsubscribes, and the sample that a lift needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.intervals import difference_z
from justai_assets.experiments.power import days_left
from justai_assets.experiments.sample_ratio import always_valid_ratio_p
from justai_assets.experiments.sequential import always_valid_p, spread


def _broken(runs: int, share: float, *, days: int, per_day: int, seed: int) -> npt.NDArray[np.bool_]:
    """Runs × days: called broken where 10 % was configured, within one period, whose first day is not counted."""
    control = np.random.default_rng(seed).binomial(per_day, share, (runs, days - 1)).cumsum(axis=1)
    total = np.arange(1, days) * per_day
    return np.asarray(always_valid_ratio_p(total - control, control, 0.1) < Rules().ratio_threshold)


def false_alarms(runs: int, *, days: int = 60, per_day: int = 5_000, seed: int = 21) -> float:
    """Share of the runs in which an honest split is ever called broken."""
    return float(_broken(runs, 0.1, days=days, per_day=per_day, seed=seed).any(axis=1).mean())


def caught_within(runs: int, share: float, *, days: int, per_day: int = 5_000, seed: int = 22) -> float:
    """Share of the runs in which a control that gets another share is caught within so many days."""
    return float(_broken(runs, share, days=days, per_day=per_day, seed=seed).any(axis=1).mean())


def warned(runs: int, rate: float, times: float, *, days: int, per_day: int = 5_000, seed: int = 23) -> float:
    """Share of the runs in which the guardrail ever warns; the treatment has `times` the control's unsubscribes."""
    rng, rules, sent = np.random.default_rng(seed), Rules(), np.arange(1, days + 1)
    n1, n0 = per_day * 9 // 10, per_day // 10
    x1 = rng.binomial(n1, rate * times, (runs, days)).cumsum(axis=1)
    x0 = rng.binomial(n0, rate, (runs, days)).cumsum(axis=1)
    counts = (x1, n1 * sent, x0, n0 * sent)
    z = difference_z(*counts)
    p_value = always_valid_p(z, spread(*counts, target_lift=rules.guardrail_rise))
    return float(((z > 0) & (p_value <= rules.alpha) & (n0 * sent >= rules.minimum_messages)).any(axis=1).mean())


def planned_messages(rate: float, share: float, lift: float) -> int:
    """Messages of both arms after which four of five tests show a lift, as `days_left` says, to a hundredth."""
    step: int = 10 ** max(1, round(np.log10(100 / (rate * lift**2))) - 2)
    begun = Arm(round(step * (1 - share)), 0), Arm(round(step * share), round(step * share * rate))
    rules = Rules(target_lift=lift)
    days = days_left(*begun, rules, treatment_per_day=step * (1 - share), control_per_day=step * share)
    return step * (1 + (days or 0))
