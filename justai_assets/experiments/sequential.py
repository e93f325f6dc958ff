"""Intervals that stay valid however often one looks: the normal mixture, on the scale of information.

Why: a 95 % interval promises 5 % errors for ONE look. Looked at every day for a month, an A/A test "wins" about a
third of the time. A marketer looks every day, so decisions are made by the intervals of this module.

Derivation. Let θ̂ be the measured difference of rates, s its standard error and I = 1/s² the information so far. As
messages accrue, W(I) = I·(θ̂ − θ) behaves like a Brownian motion at time I (the canonical joint distribution of
Jennison & Turnbull 1999, ch. 11). For each λ, exp(λW − λ²I/2) is then a martingale with mean 1. Mixing over
λ ~ Normal(0, τ²) keeps that, and the integral is

    M(I) = (1 + Iτ²)^(−1/2) · exp( z²/2 · Iτ²/(1 + Iτ²) ),         z = (θ̂ − θ)·√I

By Ville's inequality P(M ever reaches 1/α) ≤ α. So, over all looks together and at any stopping time,

    |z| ≤ c(I) = √( (1 + 1/(Iτ²)) · (2·ln(1/α) + ln(1 + Iτ²)) )    holds with probability ≥ 1 − α
    p(I) = min(1, 1/M(I))                                          is a p-value (of θ = 0)

Sources: Robbins (1970), "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat. 41;
Johari, Koomen, Pekelis & Walsh (2022), "Always valid inference", Operations Research 70 (the mixture SPRT);
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
sequences", Ann. Stat. 52, for the step from Gaussian to averages: the guarantee is asymptotic, hence the minimum sample
before the first look counts (rules.py).

The always-valid interval is the Miettinen–Nurminen interval, stratified by send day (intervals.py), with c(I) in the
place of 1.96, which keeps it inside the possible rates and right for small counts; I is taken at "no difference".

The width τ is free but must not chase the data. Here τ = target lift × pooled rate: at a given I the half-width c(I)/√I
is smallest at Iτ² ≈ 8.2 (α = 0.05), and a fixed test with 80 % power for an effect τ needs Iτ² = (1.96 + 0.84)² ≈ 7.8:
so this τ makes the interval tightest just when the lift one hopes for would show.
The pooled rate is, to first order, independent of the difference, so using it does not chase the effect.
"""

from __future__ import annotations

import numpy as np

from justai_assets.experiments.intervals import Array, Counts


def spread(x1: Counts, n1: Counts, x0: Counts, n0: Counts, *, target_lift: float, strata: bool = False) -> Array:
    """I·τ²: information in units of the target effect; about 7.8 when a fixed test would be well powered.

    With h = n₁n₀/(n₁ + n₀) and the pooled rate p̄ of each day, the score S = Σh(p̂₁ − p̂₀) has the variance
    V = Σh·p̄(1 − p̄) under no difference, and a lift L adds L·Σh·p̄ to it: so I·τ² = (L·Σh·p̄)² / V. Under no difference
    S is a martingale with the variance process V, however the shares are chosen, as long as a day's shares are fixed
    before the day: the derivation above holds with V in the place of time.

    0 where an arm is empty or nothing succeeded: nothing is known yet. Where everything succeeded the variance is 0
    too, and 0 is returned for the same reason. With strata the last axis is summed.
    """
    x1, n1, x0, n0 = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (x1, n1, x0, n0)))
    total = n1 + n0
    both = (n1 > 0) & (n0 > 0)
    h = np.divide(n1 * n0, total, out=np.zeros(total.shape), where=both)
    rate = np.divide(x1 + x0, total, out=np.zeros(total.shape), where=both)
    gain, variance = h * rate, h * rate * (1 - rate)
    if strata:
        gain, variance = gain.sum(axis=-1), variance.sum(axis=-1)
    known = variance > 0
    return np.asarray(np.divide((target_lift * gain) ** 2, variance, out=np.zeros(known.shape), where=known))


def critical(spread: Counts, *, alpha: float) -> Array:
    """c(I): the |z| that a true "no difference" ever exceeds with probability at most alpha; ∞ when nothing is known.

    Args:
        spread: I·τ² (see `spread`).
        alpha: error over all looks together.

    >>> critical([0.0, 7.9, 1000.0], alpha=0.05).round(2).tolist()
    [inf, 3.04, 3.59]
    """
    u = np.asarray(spread, dtype=np.float64)
    known = u > 0
    safe = np.where(known, u, 1.0)
    return np.where(known, np.sqrt((1 + 1 / safe) * (2 * np.log(1 / alpha) + np.log1p(safe))), np.inf)


def always_valid_p(z: Counts, spread: Counts) -> Array:
    """The p-value that may be read at any time: 1 over the mixture likelihood ratio, at most 1.

    p ≤ alpha exactly when |z| ≥ critical(spread, alpha=alpha).
    """
    u = np.asarray(spread, dtype=np.float64)
    z = np.asarray(z, dtype=np.float64)
    return np.asarray(np.minimum(1.0, np.sqrt(1 + u) * np.exp(-0.5 * z**2 * u / (1 + u))), dtype=np.float64)
