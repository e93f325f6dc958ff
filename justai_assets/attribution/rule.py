"""The attribution rule: which sends count, and how long after one a custom event still counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import DEFAULT_SEND_EVENTS, MAX_WINDOW_HOURS

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
"""Microseconds in an hour and a day: the engine counts time in whole microseconds."""


class RuleError(JustAIError):
    """A rule that cannot be applied."""

    code = "attribution_rule"


class AttributionLike(Protocol):
    """What an org's configuration says about attribution (`orgs.model.Attribution`)."""

    @property
    def window_hours(self) -> int: ...  # noqa: D102 - the class says what they are
    @property
    def windows(self) -> Mapping[str, int]: ...  # noqa: D102 - the class says what they are
    @property
    def send_events(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says what they are


@dataclass(frozen=True)
class Rule:
    """Windows in hours, by event name where they differ, and the names of the events that are sends.

    A send at `send_ts` causes a custom event at `event_ts` of the same person when it is the latest one with
    `send_ts <= event_ts` and `send_ts > event_ts - window`: half-open, so a send exactly one window earlier does not
    count and a send at the same microsecond does. Ties on `send_ts` go to the greatest message_id, then template_id,
    then campaign_id, compared bytewise, null lowest.

    >>> Rule(windows={"purchase": 72}).window_for("purchase")
    72

    Raises:
        RuleError: for a window outside 1 … 72 hours, or no send event.
    """

    window_hours: int = 24
    windows: Mapping[str, int] = field(default_factory=dict)
    send_events: tuple[str, ...] = DEFAULT_SEND_EVENTS

    def __post_init__(self) -> None:
        named = [("window_hours", self.window_hours), *((f"windows.{name}", h) for name, h in self.windows.items())]
        for name, hours in named:
            if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= MAX_WINDOW_HOURS:
                raise RuleError(f"{name} is {hours}", mend=f"give whole hours, 1 to {MAX_WINDOW_HOURS}")
        if not self.send_events:
            raise RuleError("send_events is empty", mend="name at least one event that is a send")

    @classmethod
    def of(cls, attribution: AttributionLike) -> Rule:
        """The rule an org file configures."""
        return cls(attribution.window_hours, dict(attribution.windows), tuple(attribution.send_events))

    def window_for(self, event_name: str) -> int:
        """Hours of the window for one event name."""
        return self.windows.get(event_name, self.window_hours)

    def window_expr(self, event_name: str = "event_name") -> pl.Expr:
        """The window in hours (Int32) of each row, by the column that holds its name."""
        default = pl.lit(self.window_hours, pl.Int32)
        if not self.windows:
            return default
        names = pl.Series(list(self.windows), dtype=pl.String)
        hours = pl.Series(list(self.windows.values()), dtype=pl.Int32)
        return pl.col(event_name).replace_strict(names, hours, default=default, return_dtype=pl.Int32)
