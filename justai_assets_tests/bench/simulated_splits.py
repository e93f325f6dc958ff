"""Simulated splits: how often an honest one is called broken, and how soon one that is off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sample_ratio import always_valid_ratio_p


def _broken(runs: int, share: float, *, days: int, per_day: int, seed: int) -> npt.NDArray[np.bool_]:
    """Runs × days: called broken where 10 % was configured, within one allocation period."""
    control = np.random.default_rng(seed).binomial(per_day, share, (runs, days)).cumsum(axis=1)
    total = np.arange(1, days + 1) * per_day
    return np.asarray(always_valid_ratio_p(total - control, control, 0.1) < Rules().ratio_threshold)


def false_alarms(runs: int, *, days: int = 60, per_day: int = 5_000, seed: int = 21) -> float:
    """Share of the runs in which an honest split is ever called broken."""
    return float(_broken(runs, 0.1, days=days, per_day=per_day, seed=seed).any(axis=1).mean())


def caught_within(runs: int, share: float, *, days: int, per_day: int = 5_000, seed: int = 22) -> float:
    """Share of the runs in which a control that gets another share is caught within so many days."""
    return float(_broken(runs, share, days=days, per_day=per_day, seed=seed).any(axis=1).mean())
