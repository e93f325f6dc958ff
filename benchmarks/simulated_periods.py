"""Simulated beginnings, ends and changes of a test whose split is honest: how often it is ever called broken."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np

from justai_assets.experiments.allocation import allocation
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.sample_ratio import always_valid_ratio_p

FIRST: Final = date(2026, 1, 1)
SITUATIONS: Final = {
    "launch": "the copy goes live within a day, after a week of the control alone",
    "first": "the copy goes live within the first day",
    "trial": "one trial message, the copy a week later",
    "stop": "the control is switched off within a day",
    "over": "the treatment is switched off within a day",
    "pause": "the control pauses for four days",
    "gap": "nothing is sent for four days",
}


def sends_of(rng: np.random.Generator, name: str, share: float, per_day: int, days: int) -> list[tuple[int, int]]:
    """Messages of the treatment and of the control, by day."""
    hour, turn, found = rng.uniform(0.05, 0.95), 7 if name in ("launch", "trial") else days // 2, []
    for day in range(days):
        sent = int(rng.poisson(per_day))
        before, after = share, share
        if name == "launch":
            before, after = 1.0, share
        elif name == "first":
            turn, before = 0, 1.0
        elif name in ("stop", "over"):
            after = 0.0 if name == "stop" else 1.0
        if name == "trial" and day < turn:
            found.append((int(day == 1), sent))
        elif name in ("pause", "gap") and turn <= day < turn + 4:
            found.append((sent, 0) if name == "pause" else (0, 0))
        else:
            early = int(rng.binomial(sent, hour)) if day == turn else sent if day < turn else 0
            control = int(rng.binomial(early, before)) + int(rng.binomial(sent - early, after))
            found.append((sent - control, control))
    return found


def ever_broken(name: str, share: float, per_day: int, runs: int, days: int = 30, seed: int = 31) -> float:
    """Share of the runs in which a look after any day calls the split broken."""
    rng, broken = np.random.default_rng(seed), 0
    for _ in range(runs):
        sends = sends_of(rng, name, share, per_day, days)
        broken += any(_is_broken(sends[: day + 1], share) for day in range(days))
    return broken / runs


def _is_broken(sends: list[tuple[int, int]], share: float) -> bool:
    sent = {FIRST + timedelta(day): counts for day, counts in enumerate(sends)}
    checked = allocation(sent).split(sent).values()
    treatment, control = (sum(one[at] for one in checked) for at in (0, 1))
    # The p-value of check_ratio without its chi-square test, which takes ten times as long.
    return bool(always_valid_ratio_p(treatment, control, share) < Rules().ratio_threshold)
