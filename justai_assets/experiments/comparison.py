"""Arms in, comparisons out; many pairs at once, because the intervals are solved for all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from justai_assets.experiments.arms import Arm, Variance
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.holm_correction import holm
from justai_assets.experiments.intervals import (
    Array,
    difference_interval,
    difference_z,
    estimates,
    ratio_interval,
    two_sided_critical,
    two_sided_p,
)
from justai_assets.experiments.result_records import Comparison, Estimate
from justai_assets.experiments.sequential import always_valid_p, critical, spread


def is_enough(treatment: Arm, control: Arm, rules: Rules) -> bool:
    """Whether both arms have the minimum of messages, of successes, and of messages without success."""
    arms = treatment, control
    return min(arm.messages for arm in arms) >= rules.minimum_messages and all(
        min(arm.successes, arm.messages - arm.successes) >= rules.minimum_successes for arm in arms
    )


def compare(pairs: Sequence[tuple[Arm, Arm]], rules: Rules) -> list[Comparison]:
    """Compare each (treatment, control) pair, send day by send day; adjusted p-values are left to `corrected`.

    An arm without `days` is one stratum.
    """
    if not pairs:
        return []
    strata = [strata_of(*pair) for pair in pairs]
    x1, n1, x0, n0 = _padded(strata)
    enough = np.array([is_enough(*pair, rules) for pair in pairs])
    z = difference_z(x1, n1, x0, n0, strata=True)
    known = np.where(enough, spread(x1, n1, x0, n0, target_lift=rules.target_lift, strata=True), 0.0)
    one_look = np.full_like(z, two_sided_critical(rules.alpha))
    every_day = critical(known, alpha=rules.alpha)
    # Both intervals in one call: solving costs per step, hardly per row.
    both_criticals = np.stack([one_look, every_day])
    low, high = difference_interval(x1, n1, x0, n0, critical=both_criticals, strata=True)
    ratio_low, ratio_high = ratio_interval(x1, n1, x0, n0, critical=both_criticals, strata=True)
    ends = [low[0], high[0], low[1], high[1]]
    ends += [ratio - 1 for ratio in (ratio_low[0], ratio_high[0], ratio_low[1], ratio_high[1])]
    # An endless critical value excludes nothing: −1 or 0 would look as if something were known.
    for at, end in enumerate(ends):
        ends[at] = np.where(np.isinf(both_criticals[at // 2 % 2]), np.nan, end)
    fixed_p, anytime_p = two_sided_p(z), always_valid_p(z, known)
    difference, up, down = estimates(x1, n1, x0, n0, strata=True)
    found = []
    for at, (treatment, control) in enumerate(pairs):
        ends_here = [float(end[at]) if np.isfinite(end[at]) else None for end in ends]
        both = any(n1 > 0 and n0 > 0 for _, n1, _, n0 in strata[at])
        lift = float(up[at] / down[at]) - 1 if down[at] > 0 else None
        found.append(
            Comparison(
                treatment=treatment,
                control=control,
                difference=Estimate(float(difference[at]) if both else None, *ends_here[:4]),
                lift=Estimate(lift, *ends_here[4:]),
                p_value=float(fixed_p[at]) if both else None,
                always_valid_p=float(anytime_p[at]) if both else None,
                p_adjusted=None,
                always_valid_p_adjusted=None,
                variance=variance_of(treatment, control),
                is_enough=bool(enough[at]),
                note=missing_note(treatment, control, is_compared=both),
            )
        )
    return found


def strata_of(treatment: Arm, control: Arm) -> list[tuple[float, float, float, float]]:
    """(x₁, n₁, x₀, n₀) of each send day in effective counts; one stratum where days are not told apart."""
    if treatment.days is None or control.days is None:
        return [
            (
                treatment.effective_successes,
                treatment.effective_messages,
                control.effective_successes,
                control.effective_messages,
            )
        ]
    found = []
    for day in sorted({*treatment.days, *control.days}):
        (n1, x1), (n0, x0) = treatment.days.get(day, (0, 0)), control.days.get(day, (0, 0))
        found.append((
            x1 / treatment.design_effect, n1 / treatment.design_effect,
            x0 / control.design_effect, n0 / control.design_effect,
        ))  # fmt: skip
    return found or [(0.0, 0.0, 0.0, 0.0)]


def _padded(strata: Sequence[Sequence[tuple[float, float, float, float]]]) -> Array:
    """x₁, n₁, x₀, n₀ as arrays of pairs × days; a day that a pair does not have holds nothing and weighs nothing."""
    found = np.zeros((4, len(strata), max(map(len, strata))))
    for at, days in enumerate(strata):
        found[:, at, : len(days)] = np.array(days).T
    return found


def corrected(family: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with Holm's correction over all of them."""
    fixed = holm([one.p_value for one in family])
    anytime = holm([one.always_valid_p for one in family])
    return [
        replace(one, p_adjusted=p, always_valid_p_adjusted=q) for one, p, q in zip(family, fixed, anytime, strict=True)
    ]


def variance_of(treatment: Arm, control: Arm) -> Variance:
    """Which variance a comparison uses; an arm without messages has none."""
    both = {arm.variance for arm in (treatment, control) if arm.messages} or {treatment.variance}
    return both.pop() if len(both) == 1 else "partly"


def missing_note(treatment: Arm, control: Arm, *, is_compared: bool) -> str:
    """Why a value of the comparison is missing; empty when none is."""
    if not treatment.messages or not control.messages:
        empty = "treatment" if not treatment.messages else "control"
        return f"The {empty} has no messages, so nothing can be compared."
    if not is_compared:
        return "The arms never sent on the same day, so nothing can be compared."
    if not control.successes:
        return "The control has no success, so a relative lift does not exist; its upper end is unbounded."
    return ""
