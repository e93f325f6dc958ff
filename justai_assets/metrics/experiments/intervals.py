"""Miettinen–Nurminen: one score statistic behind the test, the interval of the difference and that of the ratio.

Miettinen & Nurminen (1985), "Comparative analysis of two rates", Statistics in Medicine 4:213–226. For a hypothetical
difference δ (or ratio θ) the statistic is

    z(δ) = (p̂₁ − p̂₀ − δ) / √V(δ),      V(δ) = (p̃₁q̃₁/n₁ + p̃₀q̃₀/n₀) · N/(N−1)
    z(θ) = (p̂₁ − θ p̂₀) / √V(θ),        V(θ) = (p̃₁q̃₁/n₁ + θ² p̃₀q̃₀/n₀) · N/(N−1)

with p̃ the maximum-likelihood rates under that hypothesis and N = n₁ + n₀. An interval holds every δ (θ) with
|z| ≤ the critical value. At "no effect" both statistics are the same number, so the p-value, the interval of the
difference and the interval of the lift never contradict each other: all three exclude "no effect", or none does.

Why not statsmodels: in 0.15 its score interval of the difference departs from the maximum of the likelihood when the
arms are of unequal size (a 10 % control is), and both its score intervals raise or turn complex when an arm has no
success, only successes, or the confidence is high; an experiment that has just started is exactly that. The tests hold
the difference to a brute-force maximisation, and the ratio to statsmodels wherever that answers.

Everything here takes numpy arrays of equal shape (or scalars), treatment first; counts may be fractional (effective).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.ArrayLike

_STEPS = 64  # halvings: 2 / 2^64 is below the spacing of doubles at 1e-3
_LOG_RATIO_LIMIT = 46.0  # e^46 = 1e20: no two measured rates are further apart


def _arrays(*values: Counts) -> list[Array]:
    return [np.asarray(value, dtype=np.float64) for value in np.broadcast_arrays(*values)]


def _standardised(numerator: Array, variance: Array, total: Array) -> Array:
    # N/(N−1) keeps samples of one from dividing by zero by being left out there.
    variance = variance * np.where(total > 1, total / np.maximum(total - 1, 1e-300), 1.0)
    flat = variance <= 0
    z = numerator / np.sqrt(np.where(flat, 1.0, variance))
    # Without variance a hypothesis is either exactly met or impossible.
    impossible = np.where(np.abs(numerator) < 1e-15, 0.0, np.copysign(np.inf, numerator))
    return np.asarray(np.where(flat, impossible, z), dtype=np.float64)


def _constrained_control_rate(x1: Array, n1: Array, x0: Array, n0: Array, difference: Array) -> Array:
    """ML estimate of p₀ given p₁ = p₀ + difference: the root of MN's cubic inside the permitted range."""
    low, high = np.maximum(0.0, -difference), np.minimum(1.0, 1.0 - difference)
    total, successes = n1 + n0, x1 + x0
    a2 = ((n1 + 2 * n0) * difference - total - successes) / (3 * total)
    a1 = ((n0 * difference - total - 2 * x0) * difference + successes) / total
    a0 = x0 * difference * (1 - difference) / total
    v = a2**3 - a1 * a2 / 2 + a0 / 2
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(a2**2 - a1 / 3, 0.0))
    cosine = np.divide(v, u**3, out=np.zeros_like(v), where=u != 0)
    rate = 2 * u * np.cos((np.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3) - a2
    rate = np.clip(rate, low, high)
    # The arccosine loses half the digits near ±1, which is where rare events lie: Newton gives them back.
    for _ in range(4):
        value = ((rate + 3 * a2) * rate + a1) * rate + a0
        slope = (3 * rate + 6 * a2) * rate + a1
        step = np.divide(value, slope, out=np.zeros_like(value), where=np.abs(slope) > 1e-12)
        rate = np.clip(rate - step, low, high)
    return np.asarray(rate, dtype=np.float64)


def difference_z(x1: Counts, n1: Counts, x0: Counts, n0: Counts, difference: Counts = 0.0) -> Array:
    """The score statistic of a hypothetical difference of rates; 0 where an arm is empty (nothing contradicts it).

    >>> float(difference_z(56, 70, 48, 80).round(4))
    2.6413
    """
    x1, n1, x0, n0, delta = _arrays(x1, n1, x0, n0, difference)
    empty = (n1 <= 0) | (n0 <= 0)
    n1, n0 = np.where(empty, 1.0, n1), np.where(empty, 1.0, n0)
    p0 = _constrained_control_rate(x1, n1, x0, n0, delta)
    p1 = np.clip(p0 + delta, 0.0, 1.0)
    z = _standardised(x1 / n1 - x0 / n0 - delta, p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0, n1 + n0)
    return np.asarray(np.where(empty, 0.0, z), dtype=np.float64)


def ratio_z(x1: Counts, n1: Counts, x0: Counts, n0: Counts, ratio: Counts = 1.0) -> Array:
    """The score statistic of a hypothetical ratio of rates; 0 where an arm is empty."""
    x1, n1, x0, n0, theta = _arrays(x1, n1, x0, n0, ratio)
    empty = (n1 <= 0) | (n0 <= 0)
    n1, n0 = np.where(empty, 1.0, n1), np.where(empty, 1.0, n0)
    square = (n1 + n0) * theta
    linear = n1 * theta + x1 + n0 + x0 * theta
    root = np.sqrt(np.maximum(linear**2 - 4 * square * (x1 + x0), 0.0))
    p0 = np.minimum(2 * (x1 + x0) / (linear + root), np.minimum(1.0, 1.0 / theta))
    p1 = np.minimum(theta * p0, 1.0)
    z = _standardised(x1 / n1 - theta * x0 / n0, p1 * (1 - p1) / n1 + theta**2 * p0 * (1 - p0) / n0, n1 + n0)
    return np.asarray(np.where(empty, 0.0, z), dtype=np.float64)


def _halve(inside: Any, good: Array, bad: Array) -> Array:
    # `good` lies in the interval, `bad` outside or on the edge of what is possible; the answer is the border.
    for _ in range(_STEPS):
        middle = (good + bad) / 2
        held = inside(middle)
        good, bad = np.where(held, middle, good), np.where(held, bad, middle)
    return bad


def difference_interval(
    x1: Counts, n1: Counts, x0: Counts, n0: Counts, *, critical: Counts = 1.959963984540054
) -> tuple[Array, Array]:
    """Lower and upper end of the interval for p₁ − p₀.

    Args:
        x1: successes of the treatment.
        n1: messages of the treatment.
        x0: successes of the control.
        n0: messages of the control.
        critical: largest |z| that stays inside; 1.96 for 95 %, more for an always-valid interval (sequential.py).

    Returns:
        Ends within −1 … 1. An empty arm says nothing: −1 and 1.

    >>> low, high = difference_interval(56, 70, 48, 80)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0528, 0.3382)
    """
    x1, n1, x0, n0, c = _arrays(x1, n1, x0, n0, critical)
    empty = (n1 <= 0) | (n0 <= 0)
    point = np.where(empty, 0.0, x1 / np.where(n1 > 0, n1, 1.0) - x0 / np.where(n0 > 0, n0, 1.0))

    def inside(delta: Array) -> npt.NDArray[np.bool_]:
        return np.abs(difference_z(x1, n1, x0, n0, delta)) <= c

    one = np.ones_like(point)
    low, high = _halve(inside, np.stack([point, point]), np.stack([-one, one]))
    return np.where(empty, -one, low), np.where(empty, one, high)


def ratio_interval(
    x1: Counts, n1: Counts, x0: Counts, n0: Counts, *, critical: Counts = 1.959963984540054
) -> tuple[Array, Array]:
    """Lower and upper end of the interval for p₁ / p₀; arguments as difference_interval.

    Returns:
        Ends within 0 … ∞: 0 when the treatment has no success, ∞ when the control has none, both when an arm is empty
        or the critical value is infinite.

    >>> low, high = ratio_interval(56, 70, 0, 80)
    >>> float(low) > 1, float(high)
    (True, inf)
    """
    x1, n1, x0, n0, c = _arrays(x1, n1, x0, n0, critical)
    empty = (n1 <= 0) | (n0 <= 0)
    endless = np.isinf(c)
    no_low, no_high = empty | (x1 <= 0) | endless, empty | (x0 <= 0) | endless
    limit = np.full_like(x1, _LOG_RATIO_LIMIT)
    known = ~no_low & ~no_high
    with np.errstate(divide="ignore", invalid="ignore"):
        point = np.where(known, np.log(np.where(known, x1 * n0, 1.0)) - np.log(np.where(known, x0 * n1, 1.0)), 0.0)
    # Without a point in the middle, start from the end that is certainly inside.
    from_above = np.where(no_high, limit, point)
    from_below = np.where(no_low, -limit, point)

    def inside(log_ratio: Array) -> npt.NDArray[np.bool_]:
        return np.abs(ratio_z(x1, n1, x0, n0, np.exp(log_ratio))) <= c

    low, high = np.exp(_halve(inside, np.stack([from_above, from_below]), np.stack([-limit, limit])))
    return np.where(no_low, 0.0, low), np.where(no_high, np.inf, high)


def two_sided_p(z: Counts) -> Array:
    """Probability of a standard normal at least as far from 0 as z."""
    from scipy.stats import norm

    return np.asarray(2 * norm.sf(np.abs(np.asarray(z, dtype=np.float64))), dtype=np.float64)


def two_sided_critical(alpha: float) -> float:
    """The |z| that a standard normal exceeds with probability alpha.

    >>> round(two_sided_critical(0.05), 4)
    1.96
    """
    from scipy.stats import norm

    return float(norm.isf(alpha / 2))
