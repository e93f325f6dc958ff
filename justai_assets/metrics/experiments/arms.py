"""An arm: how many messages, how many of them succeeded, and how much they really tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from justai_assets.metrics.experiments.errors import ExperimentError

TREATMENT: Final = "treatment"
CONTROL: Final = "control"
ARMS: Final = (TREATMENT, CONTROL)

Variance = Literal["user", "message"]
"""Clustered by user, or every message taken as independent."""


@dataclass(frozen=True)
class Arm:
    """Counts of one arm for one metric.

    Attributes:
        messages: sends, n.
        successes: messages among them that succeeded, x; 0 ≤ x ≤ n.
        users: people behind the messages, where keys are known.
        design_effect: variance of the rate over its variance if messages were independent; at least 1 (see cluster.py).
    """

    messages: int
    successes: int
    users: int | None = None
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.messages:
            raise ExperimentError(
                f"an arm has {self.successes} successes in {self.messages} messages",
                mend="count each message once, and only messages that were sent",
            )
        if not self.design_effect >= 1.0:
            raise ExperimentError(f"a design effect of {self.design_effect} claims more than the messages can tell")

    @property
    def rate(self) -> float | None:
        """Successes a message; None without messages."""
        return self.successes / self.messages if self.messages else None

    @property
    def effective_messages(self) -> float:
        """Independent messages that would tell as much: n / design effect."""
        return self.messages / self.design_effect

    @property
    def effective_successes(self) -> float:
        """Successes among the effective messages, at the same rate."""
        return self.successes / self.design_effect

    @property
    def variance(self) -> Variance:
        """Which variance the arm's intervals use."""
        return "message" if self.users is None else "user"
