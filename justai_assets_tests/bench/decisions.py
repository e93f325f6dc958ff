"""How often a test without any difference "ships", and a true gain is seen: `python -m justai_assets_tests.bench.decisions`.

Each run is a test of 60 days that is looked at every day. People answer alike (intraclass correlation 0.3), the base
rate rises from 5 to 10 %, and the share of the control is as the scenario says. A look counts once the minimum sample
and seven days are in. The statistic, its variance and its bound are the package's own functions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from justai_assets.metrics.experiments.cluster import ASSUMED_CORRELATION
from justai_assets.metrics.experiments.intervals import difference_z
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sequential import critical, spread

DAYS: Final = 60
ALIKE: Final = 0.3
RATE: Final = 0.075
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """One way in which a test is run.

    Attributes:
        split: what the arms are drawn over.
        keys: share of the messages whose person is known.
        raised: the control's share goes from 10 to 50 % halfway.
        late: days before the treatment begins, on which only the control is sent.
        per_day: share of the people who get a message on a day.
    """

    split: str
    keys: float = 1.0
    raised: bool = False
    late: int = 0
    per_day: float = 0.5


SCENARIOS: Final = {
    "by message": Scenario("message"),
    "by message, share raised on the way": Scenario("message", raised=True),
    "by message, 60 % keys": Scenario("message", keys=0.6),
    "by message, no keys": Scenario("message", keys=0.0),
    "by person": Scenario("user"),
    "by person, late start": Scenario("user", late=20),
    "by person, 60 % keys": Scenario("user", keys=0.6),
    "by person, no keys": Scenario("user", keys=0.0),
}


def run_of(rng: np.random.Generator, users: int, one: Scenario, lift: float) -> Array:
    """z² over its bound, with the sign of z, at every look of one test; 0 where a look does not count."""
    own = (
        rng.beta(RATE * (1 / ALIKE - 1), (1 - RATE) * (1 / ALIKE - 1), users) * np.linspace(2 / 3, 4 / 3, DAYS)[:, None]
    )
    sent = rng.random((DAYS, users)) < one.per_day
    shares = np.where(one.raised & (np.arange(DAYS) >= DAYS // 2), 0.5, 0.1)[:, None]
    in_control = rng.random((DAYS if one.split == "message" else 1, users)) < shares
    in_control = in_control | (np.arange(DAYS) < one.late)[:, None]
    hit = rng.random((DAYS, users)) < np.clip(own * np.where(in_control, 1.0, 1 + lift), 0, 1)
    arms = [sent & ~in_control, sent & in_control]
    n1, n0 = (arm.sum(axis=1).astype(float) for arm in arms)
    x1, x0 = ((arm & hit).sum(axis=1).astype(float) for arm in arms)
    h = np.divide(n1 * n0, n1 + n0, out=np.zeros(DAYS), where=(n1 > 0) & (n0 > 0))
    keyed = rng.random((DAYS, users)) < one.keys
    psi, binomial, known = np.zeros((DAYS, users)), np.zeros(DAYS), np.zeros(DAYS)
    for sign, arm, n, x in ((1, arms[0], n1, x1), (-1, arms[1], n0, x0)):
        rate = np.divide(x, n, out=np.zeros(DAYS), where=n > 0)
        each = np.divide(h, n, out=np.zeros(DAYS), where=n > 0)
        psi += np.where(arm & keyed, sign * each[:, None] * (hit - rate[:, None]), 0.0)
        binomial += n * each**2 * rate * (1 - rate)
        known += (arm & keyed).sum(axis=1) * each**2 * rate * (1 - rate)
    squares = (psi.cumsum(axis=0) ** 2).sum(axis=1)
    effect = _effect(one, squares, binomial.cumsum(), known.cumsum())
    found = np.zeros(DAYS)
    rules = Rules()
    for day in range(max(rules.minimum_days, one.late + rules.minimum_days) - 1, DAYS):
        counts = [part[: day + 1] for part in (x1, n1, x0, n0)]
        least = min(counts[at][h[: day + 1] > 0].sum() for at in (1, 3))
        few = min(counts[at][h[: day + 1] > 0].sum() for at in (0, 2))
        if least < rules.minimum_messages or few < rules.minimum_successes:
            continue
        shrunk = [part / effect[day] for part in counts]
        bound = critical(spread(*shrunk, target_lift=rules.target_lift, strata=True), alpha=rules.alpha)
        found[day] = float(difference_z(*shrunk, strata=True)) / float(bound)
    return found


def _effect(one: Scenario, squares: Array, binomial: Array, known: Array) -> Array:
    """The design effect at every look, as cluster.py has it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if one.split == "message":
            effect = (squares + binomial - known) / binomial
        elif one.keys == 0:
            effect = 1 + np.arange(DAYS) * ASSUMED_CORRELATION
        else:
            effect = 1 + (squares / known - 1) / one.keys
    return np.maximum(1.0, np.nan_to_num(effect, nan=1.0))


def shares(one: Scenario, runs: int, users: int, lift: float, seed: int = 1) -> tuple[float, float]:
    """In how many of the runs the treatment ever ships, and in how many the control is ever kept."""
    rng = np.random.default_rng(seed)
    found = [run_of(rng, users, one, lift) for _ in range(runs)]
    signs = np.array([float(looks[np.abs(looks) > 1][:1].sum()) for looks in found])
    return float((signs > 0).mean()), float((signs < 0).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="decisions", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--people", type=int, default=2_000)
    given = parser.parse_args()
    print(
        f"| scenario, {given.runs:,} runs | ever shipped, no difference | ever kept, no difference | shipped, +50 % |"
    )
    print("|---|--:|--:|--:|")
    for name, one in SCENARIOS.items():
        up, down = shares(one, given.runs, given.people, 0.0)
        seen, _ = shares(one, max(50, given.runs // 10), given.people, 0.5)
        print(f"| {name} | {up:.1%} | {down:.1%} | {seen:.0%} |", flush=True)


if __name__ == "__main__":
    main()
