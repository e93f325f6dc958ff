"""One simulated test of a template: sixty days of messages to people who answer alike, looked at every day.

The statistic, its bound, its intervals and the rules for unknown people are the package's own functions. What a look
sums up is vectorised over the looks here; `justai_assets_tests/experiments/test_simulated.py` holds it to
`analyse` on the same messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from justai_assets.experiments.analysis import last_closed_day
from justai_assets.experiments.arms import Arm
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.design_effect import Unknown
from justai_assets.experiments.intervals import difference_z, estimates, ratio_z, two_sided_critical
from justai_assets.experiments.power import days_left
from justai_assets.experiments.sequential import critical, spread

FIRST: Final = date(2026, 1, 1)
RULES: Final = Rules()
Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scenario:
    """One way in which a test is run.

    Attributes:
        split: what the arms are drawn over: message or user.
        keys: share of the messages whose person is known.
        two_keys: each message carries one of its person's two keys: `linked` or `unlinked`; empty: a person has one.
        share: of the control.
        raised: the control's share goes to 50 % halfway.
        late: days before the treatment begins, on which only the control is sent.
        delays: mean hours until the answer in the treatment and in the control; all come within 72 h. None: at once.
        hasty: days whose windows are open are judged as well, which the package does not.
        days: how many there are.
        per_day: share of the people who get a message on a day.
        alike: intraclass correlation of a person's answers.
        rate: of the treatment on the last day.
        begins: how high the rate is on the first day, as a share of that.
    """

    split: str = "message"
    keys: float = 1.0
    two_keys: str = ""
    share: float = 0.1
    raised: bool = False
    late: int = 0
    delays: tuple[float, float] | None = None
    hasty: bool = False
    days: int = 60
    per_day: float = 0.5
    alike: float = 0.3
    rate: float = 0.1
    begins: float = 0.5


@dataclass(frozen=True)
class Messages:
    """The messages of one run, days × people.

    Attributes:
        arms: sent in the treatment, sent in the control.
        hit: answered in the end; means nothing where nothing was sent.
        lag: looks after that of the send day at which the answer is known.
        key: which of the person's two keys a message carries.
        keyed: it carries a key.
    """

    arms: tuple[Flags, Flags]
    hit: Flags
    lag: npt.NDArray[np.int8]
    key: Flags
    keyed: Flags


@dataclass(frozen=True)
class Looks:
    """What every look of a run shows; 0 and false where a look does not count.

    Attributes:
        counts: x₁, n₁, x₀, n₀ by look and send day, divided by the design effect of the look.
        counted: enough messages, answers and days are in.
        effect: the design effect.
        score: z at no difference over its bound.
        lift: Mantel and Haenszel's estimate.
    """

    counts: tuple[Array, Array, Array, Array]
    counted: Flags
    effect: Array
    score: Array
    lift: Array

    @property
    def first(self) -> int:
        """The first look at which the test is decided; −1: never."""
        decided = np.abs(self.score) > 1
        return int(decided.argmax()) if decided.any() else -1

    def holds(self, ratio: float) -> tuple[bool, bool]:
        """Whether the interval of one look, on the last day, and those of every day together hold a ratio of rates."""
        away = np.abs(ratio_z(*self.counts, ratio, strata=True))
        bound = critical(spread(*self.counts, target_lift=RULES.target_lift, strata=True), alpha=RULES.alpha)
        one_look = away[-1] <= two_sided_critical(RULES.alpha)
        return bool(one_look), bool((away <= np.where(self.counted, bound, np.inf)).all())


def messages_of(rng: np.random.Generator, users: int, one: Scenario, lift: float) -> Messages:
    """Draw the messages of a run; the treatment's rate is 1 + lift times the control's for every person and day."""
    shape = (one.days, users)
    own = rng.beta(one.rate * (1 / one.alike - 1), (1 - one.rate) * (1 / one.alike - 1), users)
    sent = rng.random(shape, dtype=np.float32) < one.per_day
    share = np.where(one.raised & (np.arange(one.days) >= one.days // 2), 0.5, one.share)[:, None]
    drawn = rng.random(shape if one.split == "message" else (1, users), dtype=np.float32) < share
    in_control = drawn | (np.arange(one.days) < one.late)[:, None]
    level = (own * np.linspace(one.begins, 1, one.days)[:, None]).astype(np.float32)
    hit = rng.random(shape, dtype=np.float32) < level / np.where(in_control, np.float32(1 + lift), np.float32(1))
    lag = np.zeros(shape, dtype=np.int8)
    if one.delays is not None:
        mean = np.where(in_control, one.delays[1], one.delays[0])
        # An exponential delay, given that it is below 72 h, and the hour of the send; a look is at one in the night.
        delay = -mean * np.log1p(-rng.random(shape) * -np.expm1(-72 / mean))
        lag = np.maximum(0, np.floor((rng.random(shape) * 24 + delay - 1) / 24)).astype(np.int8)
    key = rng.random(shape, dtype=np.float32) < 0.5 if one.two_keys else np.zeros(shape, dtype=bool)
    keyed = rng.random(shape, dtype=np.float32) < one.keys if 0 < one.keys < 1 else np.full(shape, one.keys == 1)
    return Messages((sent & ~in_control, sent & in_control), hit, lag, key, keyed)


def closed(one: Scenario) -> npt.NDArray[np.int64]:
    """How many send days a look judges: looks are at one in the night after each day."""
    moments = [datetime(2026, 1, 1, 1, tzinfo=UTC) + timedelta(day + 1) for day in range(one.days)]
    hours = 0 if one.delays is None or one.hasty else 72
    # Answers that come at once need no window: the whole day is over at its look.
    found = [(last_closed_day(at, hours) - FIRST).days + 1 for at in moments]
    return np.maximum(0, np.array(found, np.int64))


def looks_of(messages: Messages, one: Scenario) -> Looks:
    """What the package says of a run at the look after each day."""
    judged = closed(one)
    day, look = np.arange(one.days), np.arange(one.days)[:, None]
    n1, n0 = (arm.sum(axis=1).astype(float) for arm in messages.arms)
    both = (n1 > 0) & (n0 > 0)
    final = tuple((arm & messages.hit).sum(axis=1).astype(float) for arm in messages.arms)
    is_judged = (day < judged[:, None]) & both
    seen = [np.broadcast_to(x, (one.days, one.days)) for x in final]
    if one.hasty:
        known = [
            [(arm & messages.hit & (messages.lag <= lag)).sum(axis=1) for lag in range(5)] for arm in messages.arms
        ]
        seen = [np.array(of_lag)[np.clip(look - day, 0, 4), day] for of_lag in known]
    raw = [np.where(is_judged, part, 0.0) for part in (seen[0], n1, seen[1], n0)]
    effect = _effects(messages, one, (n1, n0), (final[0], final[1]), both)
    effect = np.where(judged > 0, effect[np.maximum(0, judged - 1)], 1.0)
    x1, m1, x0, m0 = (part.sum(axis=1) for part in raw)
    enough = (np.minimum(m1, m0) >= RULES.minimum_messages) & (
        np.minimum.reduce([x1, x0, m1 - x1, m0 - x0]) >= RULES.minimum_successes
    )
    counted = enough & (is_judged.sum(axis=1) >= RULES.minimum_days)
    counts = tuple(part / effect[:, None] for part in raw)
    bound = critical(spread(*counts, target_lift=RULES.target_lift, strata=True), alpha=RULES.alpha)
    score = np.where(counted, difference_z(*counts, strata=True) / bound, 0.0)
    _, up, down = estimates(*counts, strata=True)
    lift = np.where(down > 0, up / np.where(down > 0, down, 1) - 1, 0.0)
    return Looks((counts[0], counts[1], counts[2], counts[3]), counted, effect, score, lift)


def _effects(
    messages: Messages, one: Scenario, sent: tuple[Array, Array], hits: tuple[Array, Array], both: Flags
) -> Array:
    """The design effect once the days up to each are judged, as cluster.py has it."""
    from scipy.stats import norm, t

    (n1, n0), shape = sent, messages.hit.shape
    h = np.divide(n1 * n0, n1 + n0, out=np.zeros(len(n1)), where=both)
    psi, binomial, known = np.zeros(shape), np.zeros(len(n1)), np.zeros(len(n1))
    people, keyed_sends, all_sends = [], np.zeros(len(n1)), np.zeros(len(n1))
    for sign, arm, n, x in zip((1, -1), messages.arms, sent, hits, strict=True):
        rate = np.divide(x, n, out=np.zeros(len(n)), where=n > 0)
        each = np.divide(h, n, out=np.zeros(len(n)), where=n > 0)
        with_key = arm & messages.keyed & both[:, None]
        keyed = with_key.sum(axis=1)
        if one.keys > 0:
            psi += with_key * (sign * each[:, None] * (messages.hit - rate[:, None]))
        binomial += n * each**2 * rate * (1 - rate)
        known += keyed * each**2 * rate * (1 - rate)
        keyed_sends, all_sends = keyed_sends + keyed, all_sends + n * both
        met = np.zeros(len(n))
        for part in _by_key(with_key, messages, one) if one.keys > 0 else ():
            met += np.logical_or.accumulate(part, axis=0).sum(axis=1)
        people.append((met, (n * both - keyed).cumsum()))
    squares = np.zeros(len(n1))
    for part in _by_key(psi, messages, one) if one.keys > 0 else ():
        total = part.cumsum(axis=0)
        squares += np.einsum("ij,ij->i", total, total)
    met = people[0][0] + people[1][0]
    squares = squares * met / np.maximum(1, met - 1)
    binomial, known = binomial.cumsum(), known.cumsum()
    share = keyed_sends.cumsum() / np.maximum(1, all_sends.cumsum())
    alone = binomial - known
    if one.split == "user" and one.keys < 1:
        days = both.cumsum()
        for at in range(len(n1)):
            inflated, basis = Unknown().of(squares[at] / known[at] if known[at] > 0 else None, share[at], int(days[at]))
            alone[at] = inflated * (binomial[at] if basis == "estimated" else alone[at])
            squares[at] = 0.0 if basis == "estimated" else squares[at]
    least = np.minimum(*(known_people + rest for known_people, rest in people))
    few = (t.isf(0.025, np.maximum(1, least - 1)) / norm.isf(0.025)) ** 2
    ratio = np.divide(squares + alone, binomial, out=np.ones(len(n1)), where=binomial > 0)
    return np.asarray(np.maximum(1.0, ratio) * few)


def _by_key(values: npt.NDArray[np.generic], messages: Messages, one: Scenario) -> list[npt.NDArray[np.generic]]:
    """The values of whom the package takes for a person: all of a person's, or those of each key apart."""
    if one.two_keys != "unlinked":
        return [values]
    return [np.where(messages.key == name, values, 0) for name in (False, True)]


def run_of(rng: np.random.Generator, users: int, one: Scenario, lift: float) -> Looks:
    """Every look at one test."""
    return looks_of(messages_of(rng, users, one, lift), one)


def signs(one: Scenario, runs: int, users: int, lift: float, seed: int = 1) -> npt.NDArray[np.int64]:
    """Of each run: 1 where the treatment is the first to be decided for, −1 where the control is, 0 where neither."""
    rng = np.random.default_rng(seed)
    found = [run_of(rng, users, one, lift) for _ in range(runs)]
    return np.array([int(np.sign(looks.score[looks.first])) if looks.first >= 0 else 0 for looks in found])


def planned_day(one: Scenario, users: int, lift: float, seed: int = 5) -> int:
    """The first day by which the package says that four of five tests show the lift: mean counts of twenty runs."""
    rng = np.random.default_rng(seed)
    runs = [run_of(rng, users, one, lift) for _ in range(20)]
    sums = [
        np.mean([run.counts[at].sum(axis=1) * run.effect for run in runs], axis=0).round().astype(int)
        for at in range(4)
    ]
    effect = np.mean([run.effect for run in runs], axis=0)
    for day in range(RULES.minimum_days - 1, one.days):
        x1, n1, x0, n0 = (int(part[day]) for part in sums)
        arms = Arm(n1, x1, design_effect=float(effect[day])), Arm(n0, x0, design_effect=float(effect[day]))
        if days_left(*arms, RULES, treatment_per_day=0, control_per_day=0) == 0:
            return day + 1
    raise ValueError(f"{one.days} days are too few for {users} people")
