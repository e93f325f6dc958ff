"""Two arms that are compared, and what the people behind them say about the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from justai_assets.experiments.arms import CONTROL, TREATMENT, Arm
from justai_assets.experiments.clustered_variance import WEIGHTS, Cell, Clusters, clusters, weights_of
from justai_assets.experiments.decision_rules import Plan
from justai_assets.experiments.design_effect import Unknown, clustered, design_effect

People = Callable[[], Iterable[pl.LazyFrame]]
"""Gives the people behind the counts, in parts (cluster.py)."""


@dataclass
class Pair:
    """Two arms that are compared.

    Attributes:
        names: template, metric, window_hours, and copy_id of the treatment.
        treatment: with `days`.
        control: with `days`.
        unknown: what is taken for messages without a key; None: each is a draw of its own.
        spreads: of amounts, arm and send day → the variance of what a message brings; None: successes are counted.
        known: what the people say, once `learn` has asked them.
    """

    names: dict[str, object]
    treatment: Arm
    control: Arm
    unknown: Unknown | None
    spreads: Mapping[Cell, float] | None = None
    known: Clusters = field(default_factory=Clusters)

    def arms(self) -> tuple[Arm, Arm, str]:
        """Treatment and control with their design effect, and where that comes from."""
        effect = design_effect(self.treatment, self.control, self.known, self.unknown, self.spreads)
        treatment = clustered(self.treatment, TREATMENT, self.known, effect)
        return treatment, clustered(self.control, CONTROL, self.known, effect), effect.basis


def unknown_of(plan: Plan) -> Unknown | None:
    """What a test takes for people whom nobody knows: drawn per message, every message is a draw of its own."""
    return Unknown(plan.assumed_design_effect) if plan.split_unit == "user" else None


def learn(pairs: Sequence[Pair], people: People) -> None:
    """Ask the people once about all pairs together."""
    weights = [weights_of(at, pair.names, pair.treatment, pair.control) for at, pair in enumerate(pairs)]
    for at, known in clusters(people(), pl.concat([pl.DataFrame(schema=WEIGHTS), *weights])).items():
        pairs[at].known = known
