"""Comparing means: what a message brings in one arm and in the other, send day by send day.

An amount has no binomial variance, so the score intervals of `intervals` do not apply. With n messages, mean ȳ and
sample variance s² of each arm and send day, and the weights of Mantel and Haenszel h = n₁n₀/(n₁ + n₀), as for rates:

    D = Σh(ȳ₁ − ȳ₀)/Σh,    R = Σhȳ₁/Σh,    S = Σhȳ₀/Σh,    Vₐ = deffₐ · Σ h² s²ₐ/nₐ / (Σh)²

Each day is compared with itself, so a level that drifts while shares move is no difference of the arms. deff is the
design effect of the comparison (`cluster.design_effect`, with the variance of a message in the place of p(1 − p)): it
clusters the variance by person exactly as that of the rates. A day with one message has no s²; it takes its arm's.

Difference: D ± c√(V₁ + V₀). Lift: Fieller's interval (1954, "Some problems in interval estimation", J. R. Stat. Soc. B
16), the θ with (R − θS)² ≤ c²(V₁ + θ²V₀), which is open above where the control's mean is not surely above 0. c is the
normal quantile for one look, and the mixture boundary of `sequential` for a look every day, with the information
I·τ² = (target lift · Σhȳ/Σh)² / (V₁ + V₀) at the pooled mean. Both lean on a normal limit that money reaches later than
a share does: hence the minimum of messages that brought something, and hence revenue decides nothing.

Amounts are not winsorised. A quantile would have to be fixed over the whole test and would move with every day that
is added: figures already given would change, days could no longer be added up, and the mean shown would not be the
money in the books, nor explain itself down to the landed bytes. A rare large amount widens the interval instead, which
is the truth; an impossible one is refused when it is taken in (`bad_number`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import inf, isinf, sqrt

import numpy as np

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.comparison import is_enough, missing_note, variance_of
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.intervals import Array, two_sided_critical, two_sided_p
from justai_assets.experiments.result_records import Comparison, Estimate
from justai_assets.experiments.sequential import always_valid_p, critical

Day = tuple[int, float, float]
"""Messages of a send day, the sum of what they brought, and the sum of its squares."""


@dataclass(frozen=True)
class Paid:
    """An arm and what its messages brought, by send day."""

    arm: Arm
    days: Mapping[date, Day]

    def spreads(self) -> dict[date, float]:
        """Send day → the variance of what a message brings; of a day with one message, that of the whole arm."""
        whole = message_variance(*(sum(one[at] for one in self.days.values()) for at in range(3)))
        return {day: message_variance(*one) if one[0] > 1 else whole for day, one in self.days.items()}


def message_variance(messages: float, total: float, squares: float) -> float:
    """The sample variance of what a message brings; 0 below two messages."""
    return max(0.0, (squares - total**2 / messages) / (messages - 1)) if messages > 1 else 0.0


def compare_means(treatment: Paid, control: Paid, rules: Rules) -> Comparison:
    """Compare what a message brings; adjusted p-values are left to `compare.corrected`.

    Of the arms, `successes` are the messages that brought something: both arms need the minimum of them.
    """
    arms = treatment.arm, control.arm
    h, means, variances, pooled = _strata(treatment, control)
    weight = float(h.sum())
    note = missing_note(*arms, is_compared=weight > 0)
    kind = variance_of(*arms)
    enough = is_enough(*arms, rules)
    if weight == 0:
        nothing = Estimate(None, None, None, None, None)
        return Comparison(*arms, nothing, nothing, None, None, None, None, kind, enough, note)
    r, s = (float((h * mean).sum()) / weight for mean in means)
    v1, v0 = (
        arm.design_effect * float((h**2 * one).sum()) / weight**2 for arm, one in zip(arms, variances, strict=True)
    )
    error = sqrt(v1 + v0)
    known = (rules.target_lift * float((h * pooled).sum()) / weight) ** 2 / error**2 if enough and error > 0 else 0.0
    one_look, every_day = two_sided_critical(rules.alpha), float(critical(known, alpha=rules.alpha))
    z = (r - s) / error if error > 0 else 0.0
    bands = [(r - s - c * error, r - s + c * error) if not isinf(c) else (-inf, inf) for c in (one_look, every_day)]
    ratios = [fieller(r, s, v1, v0, c) for c in (one_look, every_day)]
    return Comparison(
        *arms,
        difference=Estimate(r - s, *(_end(end) for band in bands for end in band)),
        lift=Estimate(r / s - 1 if s > 0 else None, *(_end(end - 1) for ratio in ratios for end in ratio)),
        p_value=float(two_sided_p(z)),
        always_valid_p=float(always_valid_p(z, known)),
        p_adjusted=None,
        always_valid_p_adjusted=None,
        variance=kind,
        is_enough=enough,
        note=note,
    )


def fieller(r: float, s: float, v1: float, v0: float, c: float) -> tuple[float, float]:
    """The ratios θ ≥ 0 of two means, 0 or more, with (r − θs)² ≤ c²(v₁ + θ²v₀); (−∞, ∞) for an endless c.

    >>> [round(end, 3) for end in fieller(12.0, 10.0, 1.0, 1.0, 1.96)]
    [0.932, 1.564]
    >>> fieller(1.0, 1.0, 1.0, 1.0, 1.96)
    (0.0, inf)
    """
    if isinf(c):
        return -inf, inf
    a, b, k = s**2 - c**2 * v0, r * s, r**2 - c**2 * v1
    if a > 0:
        root = sqrt(max(0.0, b**2 - a * k))
        return max(0.0, (b - root) / a), (b + root) / a
    # The control's mean may be 0: nothing bounds the ratio from above. Of two roots only one can be positive.
    root = b + sqrt(max(0.0, b**2 - a * k))
    return (k / root if k > 0 and root > 0 else 0.0), inf


def _strata(treatment: Paid, control: Paid) -> tuple[Array, tuple[Array, Array], tuple[Array, Array], Array]:
    """h, both means, the variances of both and the pooled mean, by send day; h is 0 where only one arm sent."""
    days = sorted(treatment.days.keys() | control.days.keys())
    both = [
        np.array([one.days.get(day, (0, 0.0, 0.0)) for day in days], float).reshape(-1, 3)
        for one in (treatment, control)
    ]
    (n1, t1, _), (n0, t0, _) = (found.T for found in both)
    is_shared = (n1 > 0) & (n0 > 0)
    total = np.where(is_shared, n1 + n0, 1.0)
    means, variances = [], []
    for one, found in zip((treatment, control), both, strict=True):
        n, total_paid, _ = found.T
        some, spreads = np.maximum(n, 1.0), one.spreads()
        means.append(total_paid / some)
        variances.append(np.array([spreads.get(day, 0.0) for day in days]) / some)
    h = np.where(is_shared, n1 * n0 / total, 0.0)
    return h, (means[0], means[1]), (variances[0], variances[1]), (t1 + t0) / total


def _end(value: float) -> float | None:
    return None if isinf(value) else value
