"""The attribution rule as data: which sends count, in which window, and which of several wins.

The engine, the SQL of every dialect, the documented SQL and Spark read it from here. ADR 0016 says why, and
`justai_assets_tests/parity/conformance.py` holds the cases that all of them must answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

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
    """What an org's configuration says about attribution (`orgs.org_model.Attribution`)."""

    @property
    def window_hours(self) -> int: ...  # noqa: D102 - the class says what they are
    @property
    def windows(self) -> Mapping[str, int]: ...  # noqa: D102 - the class says what they are
    @property
    def send_events(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says what they are


@dataclass(frozen=True)
class OrderKey:
    """One key of an order of sends: a text column, compared bytewise; null always comes first.

    Attributes:
        column: message_id, template_id or campaign_id.
        is_descending: the smallest comes last, instead of the greatest.
    """

    column: str
    is_descending: bool = False


@dataclass(frozen=True)
class Bounds:
    """Which ends belong to a window of `hours` before an event.

    Attributes:
        has_start: a send exactly one window before the event counts.
        has_end: a send at the event's own microsecond counts.
    """

    has_start: bool = False
    has_end: bool = True

    def holds(self, age: Any, window: Any) -> Any:
        """Whether a send of this age, not after the event, is inside: for numbers, NumPy, Polars and Spark alike."""
        return age <= window if self.has_start else age < window


BOUNDS: Final = Bounds()
TIE_BREAK: Final = (OrderKey("message_id"), OrderKey("template_id"), OrderKey("campaign_id"))
"""The order of sends of one person at one microsecond. The last one wins."""


@dataclass(frozen=True)
class Rule:
    """Windows, sends, and which of several sends wins.

    A send at `send_ts` causes a custom event at `event_ts` of the same person when it is the latest one in the window
    from `event_ts - window` to `event_ts`, whose ends `bounds` takes in or leaves out. `tie_break` decides between
    sends at the same microsecond.

    Attributes:
        window_hours: the window, 1 to 72 hours.
        windows: event name → hours, where they differ.
        send_events: names of the events that are sends.
        bounds: the ends of the window.
        tie_break: order of sends at the same microsecond, of which the last wins; all three ids in some order. The
            ids left equal are those of equal sends. Whoever changes its default raises `ATTRIBUTED_EVENTS.code_version`
            where days that are built should be listed as outdated.

    >>> Rule(windows={"purchase": 72}).window_for("purchase")
    72

    Raises:
        RuleError: for a window outside 1 … 72 hours, or no send event.
    """

    window_hours: int = 24
    windows: Mapping[str, int] = field(default_factory=dict)
    send_events: tuple[str, ...] = DEFAULT_SEND_EVENTS
    bounds: Bounds = field(default_factory=lambda: BOUNDS)
    tie_break: tuple[OrderKey, ...] = field(default_factory=lambda: TIE_BREAK)

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

    @property
    def tie_columns(self) -> tuple[str, ...]:
        """The columns of `tie_break`, in its order."""
        return tuple(key.column for key in self.tie_break)

    def winners(self, sends: pl.DataFrame, event: str, *earlier: str) -> pl.DataFrame:
        """The send that wins, of every event's.

        Args:
            sends: the ids, a column that names the event, and the columns `earlier`.
            event: the column that names the event.
            earlier: columns that count before the tie-break; the greatest wins.
        """
        descending = [False] * (1 + len(earlier)) + [key.is_descending for key in self.tie_break]
        ordered = sends.sort(event, *earlier, *self.tie_columns, descending=descending, nulls_last=False)
        return ordered.unique(event, keep="last")

    def as_data(self) -> dict[str, Any]:
        """The rule in plain values, as a Spark job takes it (`spark.task.Task`)."""
        return {
            "window_hours": self.window_hours,
            "windows": dict(self.windows),
            "send_events": self.send_events,
            "has_start": self.bounds.has_start,
            "has_end": self.bounds.has_end,
            "tie_break": tuple((key.column, key.is_descending) for key in self.tie_break),
        }

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
