"""An arm: how many messages, how many of them succeeded, and how much they really tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from justai_assets.experiments.experiment_errors import ExperimentError

TREATMENT: Final = "treatment"
CONTROL: Final = "control"
ARMS: Final = (TREATMENT, CONTROL)

Variance = Literal["user", "partly", "message"]
"""Clustered by user; by user where one is known and by message for the rest; every message taken as independent."""


@dataclass(frozen=True)
class Arm:
    """Counts of one arm for one metric.

    Attributes:
        messages: sends, n.
        successes: messages among them that succeeded, x; 0 ≤ x ≤ n.
        users: people behind the messages, where keys are known; a message without a key is a person of its own.
        design_effect: variance of the rate over its variance if messages were independent; at least 1 (see cluster.py).
        keyed_messages: messages to people known by a key; None: all of them, where users are known.
        days: send day → messages and successes (or what they brought), which add up to those above; None: not told
            apart.
        value: of revenue, what the messages brought together; successes are then those that brought anything.
    """

    messages: int
    successes: int
    users: int | None = None
    design_effect: float = 1.0
    keyed_messages: int | None = None
    days: Mapping[date, tuple[int, float]] | None = None
    value: float | None = None

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
        """Successes a message, or value a message where there is one; None without messages."""
        counted = self.successes if self.value is None else self.value
        return counted / self.messages if self.messages else None

    @property
    def effective_messages(self) -> float:
        """Independent messages that would tell as much: n / design effect."""
        return self.messages / self.design_effect

    @property
    def effective_successes(self) -> float:
        """Successes among the effective messages, at the same rate."""
        return self.successes / self.design_effect

    @property
    def known_messages(self) -> int:
        """Messages to people known by a key."""
        if self.users is None:
            return 0
        return self.messages if self.keyed_messages is None else self.keyed_messages

    @property
    def variance(self) -> Variance:
        """Which variance the arm's intervals use."""
        if self.users is None:
            return "message"
        return "user" if self.known_messages == self.messages else "partly"


def shared_days(treatment: Arm, control: Arm) -> list[tuple[date, float, tuple[tuple[int, float], tuple[int, float]]]]:
    """Each send day: the day, h, and messages and successes of either arm. h is 0 where only one arm sent."""
    first, second = treatment.days or {}, control.days or {}
    found = []
    for day in sorted({*first, *second}):
        arms = first.get(day, (0, 0)), second.get(day, (0, 0))
        n1, n0 = arms[0][0], arms[1][0]
        if n1 or n0:
            found.append((day, n1 * n0 / (n1 + n0), arms))
    return found
