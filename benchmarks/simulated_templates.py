"""Several simulated templates of the same people: one control for all of them, and the row of all templates together.

Vectorised over the looks as `simulated` is; the suite holds it to `overall` on the same messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.simulated import RULES, Array, Flags
from justai_assets.experiments.sequential import always_valid_p


@dataclass(frozen=True)
class Shared:
    """Templates that share a control.

    Attributes:
        split: what the arms are drawn over: message or user.
        keys: whether people are known.
        templates: how many.
        control: share of the messages that are the control's.
        days: how many there are.
        per_day: share of the people who get a message on a day.
        alike: intraclass correlation of a person's answers.
        rate: of every message.
    """

    split: str = "message"
    keys: bool = True
    templates: int = 3
    control: float = 0.25
    days: int = 60
    per_day: float = 0.5
    alike: float = 0.3
    rate: float = 0.1


@dataclass(frozen=True)
class Drawn:
    """The messages of one run, days × people.

    Attributes:
        arm: which template's treatment was sent; `templates` for the control, −1 for nothing.
        hit: answered.
    """

    arm: Array
    hit: Flags


def drawn(rng: np.random.Generator, users: int, one: Shared) -> Drawn:
    """Draw the messages of a run without any difference."""
    shape = (one.days, users)
    own = rng.beta(one.rate * (1 / one.alike - 1), (1 - one.rate) * (1 / one.alike - 1), users)
    shares = [(1 - one.control) / one.templates] * one.templates + [one.control]
    arms = rng.choice(one.templates + 1, size=shape if one.split == "message" else (1, users), p=shares)
    sent = rng.random(shape, dtype=np.float32) < one.per_day
    return Drawn(np.where(sent, arms, -1), rng.random(shape, dtype=np.float32) < own)


def scores(messages: Drawn, one: Shared) -> Array:
    """The always-valid p-value of all templates together at the look after each day, with the sign of the lift.

    Every arm has sent on every day; a look counts once each arm has the minimum sample. Where people are not known and
    the arms are drawn over them, every template has the design effect that is assumed.
    """
    from justai_assets.experiments.design_effect import Unknown

    days, k = one.days, one.templates
    cells = [messages.arm == at for at in range(k + 1)]
    n = np.array([cell.sum(axis=1) for cell in cells], dtype=float)
    x = np.array([(cell & messages.hit).sum(axis=1) for cell in cells], dtype=float)
    rate = x / n
    centred = [cell * (messages.hit - rate[at][:, None]) for at, cell in enumerate(cells)]
    h = n[:k] * n[k] / (n[:k] + n[k])
    effect = np.ones((k, days))
    moved: list[tuple[Array, Array]] = []
    for at in range(k):
        up = (centred[at] * (h[at] / n[at])[:, None]).cumsum(axis=0)
        down = (centred[k] * (h[at] / n[k])[:, None]).cumsum(axis=0)
        moved.append((up, down))
        spread = (h[at] ** 2 * (rate[at] * (1 - rate[at]) / n[at] + rate[k] * (1 - rate[k]) / n[k])).cumsum()
        if one.keys:
            people = [np.logical_or.accumulate(cells[arm], axis=0).sum(axis=1) for arm in (at, k)]
            squares = ((up - down) ** 2).sum(axis=1) * (people[0] + people[1]) / (people[0] + people[1] - 1)
            effect[at] = np.maximum(1, squares / spread) * few_people(np.minimum(*people))
        elif one.split == "user":
            effect[at] = [Unknown().of(None, 0.0, day + 1)[0] for day in range(days)]
            effect[at] *= few_people(np.minimum(n[at].cumsum(), n[k].cumsum()))
        else:
            effect[at] *= few_people(np.minimum(n[at].cumsum(), n[k].cumsum()))
    total = n[:k] + n[k]
    r = (x[:k] * n[k] / total).cumsum(axis=1) / effect
    s = (x[k] * n[:k] / total).cumsum(axis=1) / effect
    plain = ((n[:k] * n[k] * (x[:k] + x[k]) - x[:k] * x[k] * total) / total**2).cumsum(axis=1) / effect
    r, s, plain = (part.sum(axis=0) for part in (r, s, plain))
    if one.keys:
        up, down = (sum(pair[side] / effect[at][:, None] for at, pair in enumerate(moved)) for side in (0, 1))
        psi = up / r[:, None] - down / s[:, None]
        clustered = (psi**2).sum(axis=1)
    else:
        clustered = _alone(n, rate, h, effect, (r, s), is_assumed=one.split == "user")
    square = np.maximum(plain / (r * s), clustered)
    enough = (x.cumsum(axis=1) >= RULES.minimum_successes).all(axis=0)
    enough &= (n.cumsum(axis=1) >= RULES.minimum_messages).all(axis=0)
    known = np.where(enough, np.log1p(RULES.target_lift) ** 2 / square, 0.0)
    signed: Array = np.sign(r - s) * always_valid_p(np.log(r / s) / np.sqrt(square), known)
    return signed


def few_people(people: Array) -> Array:
    """What few people in an arm add to its design effect (cluster.py)."""
    from scipy.stats import norm, t

    return np.asarray((t.isf(0.025, np.maximum(1, people - 1)) / norm.isf(0.025)) ** 2)


def _alone(n: Array, rate: Array, h: Array, effect: Array, sums: tuple[Array, Array], *, is_assumed: bool) -> Array:
    """What messages without a key add: those of the control are the same in every template."""
    k, (r, s) = len(h), sums
    inflated = effect if is_assumed else np.ones_like(effect)
    found = np.zeros(len(r))
    for look in range(len(r)):
        days = slice(0, look + 1)
        each = h[:, days] / effect[:, [look]]
        variance = n[:, days] * rate[:, days] * (1 - rate[:, days])
        own = (each / (n[:k, days] * r[look])) ** 2 * variance[:k] * inflated[:, [look]]
        common = (each / (n[k, days] * s[look])).sum(axis=0) ** 2 * variance[k] * inflated[:, look].max()
        found[look] = own.sum() + common.sum()
    return found


def share_better(one: Shared, runs: int, users: int, seed: int = 1) -> float:
    """In how many runs the row of all templates together ever says `better`."""
    rng = np.random.default_rng(seed)
    found = [scores(drawn(rng, users, one), one) for _ in range(runs)]
    return float(np.mean([((p > 0) & (p <= RULES.alpha)).any() for p in found]))
