"""Design effects: how many messages count as one, where one person answers many of them alike.

The quotient of the variance that is clustered by person, Σψᵤ² (cluster.py), by the binomial variance
Σ h²(p̂₁q̂₁/n₁ + p̂₀q̂₀/n₀) is the design effect. Dividing counts by it gives the effective sample to which every method for
independent messages applies (Rao & Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics
48), so intervals stay inside the possible rates.

Choices on the safe side: a design effect below 1 is taken as 1; with few people in an arm the effective sample shrinks
further by (1.96 / t)² with K − 1 degrees of freedom, K the people of the arm that has fewer (Korn & Graubard 1998,
Survey Methodology 24).

A message without a key is a person of its own. Where the split is drawn per message, that is right. Where it is drawn
per person, the messages of one unknown person answer alike, and `Unknown` says by how much they count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from justai_assets.experiments.arms import CONTROL, TREATMENT, Arm, shared_days
from justai_assets.experiments.clustered_variance import Cell, Clusters

ESTIMATED_SHARE: Final = 0.2
"""Share of the messages that must have a key before their design effect is taken for those without."""
ASSUMED_CORRELATION: Final = 0.3
"""How alike one unknown person answers two messages; 0: no more alike than two people.

That one user's answers depend on each other, and that leaving it out breaks experiments, is measured (Bakshy & Eckles
2013, "Uncertainty in online experiments with dependent data", KDD, on ads, search and feed). How much they do differs
by metric and audience. No published number stands for the messages of every org, so this one is meant to be too much.
`treatment_design_effect` in the results of a template whose people are known is the better number.
"""


@dataclass(frozen=True)
class Unknown:
    """What is taken for messages without a key where the split is drawn per person.

    Attributes:
        effect: their design effect, from the org file; None: see `of`.
    """

    effect: float | None = None

    def of(self, keyed_effect: float | None, keyed_share: float, days: int) -> tuple[float, str]:
        """Their design effect, and where it comes from: `configured`, `estimated` or `assumed`.

        Args:
            keyed_effect: of the messages with a key; None: there are none.
            keyed_share: their share of all messages.
            days: send days compared.

        Estimated: a person of whose messages a share q has a key shows 1 + (m·q − 1)ρ where all m would show
        1 + (m − 1)ρ (Kish 1965, "Survey Sampling", §5.4), so the excess over 1 is divided by q. Assumed: by the same
        formula, a message a day to everybody and ρ = ASSUMED_CORRELATION, which is meant to be too much.
        """
        if self.effect is not None:
            return self.effect, "configured"
        if keyed_effect is not None and keyed_share >= ESTIMATED_SHARE:
            return 1 + (keyed_effect - 1) / keyed_share, "estimated"
        return 1 + max(0, days - 1) * ASSUMED_CORRELATION, "assumed"


@dataclass(frozen=True)
class Effect:
    """The design effect of a comparison.

    Attributes:
        effect: at least 1.
        basis: how messages without a key were counted: "" (there are none, or each is a draw of its own), `configured`,
            `estimated` or `assumed`.
    """

    effect: float
    basis: str = ""


def design_effect(
    treatment: Arm,
    control: Arm,
    found: Clusters,
    unknown: Unknown | None = None,
    spreads: Mapping[Cell, float] | None = None,
) -> Effect:
    """By how much the variance of a comparison exceeds that of independent messages.

    Args:
        treatment: with `days`.
        control: with `days`.
        found: what the people say.
        unknown: what is taken for messages without a key; None: each is a draw of its own.
        spreads: of amounts, arm and send day → the variance of what a message brings; None: p(1 − p), of a success.
    """
    from scipy.stats import norm, t

    days = shared_days(treatment, control)
    binomial = keyed = 0.0
    sent = known = 0
    for day, h, arms in days:
        for name, (n, x) in zip((TREATMENT, CONTROL), arms, strict=True):
            if not n:
                continue
            spread = x / n * (1 - x / n) if spreads is None else spreads[name, day]
            of_a_message = (h / n) ** 2 * spread
            with_key = found.keyed.get((name, day), 0)
            binomial += n * of_a_message
            keyed += with_key * of_a_message
            sent, known = sent + n, known + with_key
    if not sent or binomial <= 0:
        return Effect(1.0)
    people = sum(found.users.values())
    squares = found.squares * people / max(1, people - 1)
    alone, basis = binomial - keyed, ""
    if unknown is not None and known < sent:
        inflated, basis = unknown.of(squares / keyed if keyed > 0 else None, known / sent, len(days))
        if basis == "estimated":
            squares, alone = 0.0, inflated * binomial
        else:
            alone *= inflated
    least = min(found.users[name] + arm.messages - _keyed(found, name) for name, arm in _both(treatment, control))
    few_people = float((t.isf(0.025, max(1, least - 1)) / norm.isf(0.025)) ** 2)
    return Effect(max(1.0, (squares + alone) / binomial) * few_people, basis)


def clustered(arm: Arm, name: str, found: Clusters, effect: Effect) -> Arm:
    """An arm with the people behind it; as it is where nobody is known."""
    keyed = _keyed(found, name)
    if not keyed:
        return replace(arm, design_effect=effect.effect)
    people = found.users[name] + arm.messages - keyed
    return replace(arm, users=people, keyed_messages=keyed, design_effect=effect.effect)


def _keyed(found: Clusters, name: str) -> int:
    return sum(messages for (arm, _), messages in found.keyed.items() if arm == name)


def _both(treatment: Arm, control: Arm) -> tuple[tuple[str, Arm], tuple[str, Arm]]:
    return (TREATMENT, treatment), (CONTROL, control)
