"""Which days a query gives: a range, the last days whenever it runs, or all."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from justai_assets.attribution.sql.dialects import Clock, Dialect, SqlError, spoken
from justai_assets.contract.days import Days

MAX_LAST_DAYS = 366


@dataclass(frozen=True)
class Span:
    """Days of a query, in UTC.

    Attributes:
        days: a fixed range.
        last: that many days up to and with today, when the query runs; today is exported again tomorrow.

    Both None: all there is, what a view gives.
    """

    days: Days | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.days is not None and self.last is not None:
            raise SqlError("a range and a number of last days exclude each other", mend="give one of them")
        if self.last is not None and not 1 <= self.last <= MAX_LAST_DAYS:
            raise SqlError(f"the last {self.last} days", mend=f"give 1 to {MAX_LAST_DAYS}")

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.days is None and self.last is None

    def begin(self, clock: Clock, dialect: Dialect) -> exp.Expression:
        """The first moment of the days."""
        if self.days is not None:
            return spoken(clock.midnight, dialect, d=_date(self.days.first.isoformat()))
        return self._around_today(clock, dialect, 24 * ((self.last or 1) - 1))

    def end(self, clock: Clock, dialect: Dialect) -> exp.Expression:
        """The first moment after the days."""
        if self.days is not None:
            last = spoken(clock.midnight, dialect, d=_date(self.days.last.isoformat()))
            return spoken(clock.before, dialect, x=last, hours=-24)
        return self._around_today(clock, dialect, -24)

    def _around_today(self, clock: Clock, dialect: Dialect, hours: int) -> exp.Expression:
        today = spoken(clock.today, dialect)
        return spoken(clock.before, dialect, x=spoken(clock.midnight, dialect, d=today), hours=hours)

    def __str__(self) -> str:
        """In words."""
        if self.days is not None:
            return str(self.days)
        return "all days" if self.last is None else f"the last {self.last} days, today included"


def _date(text: str) -> exp.Expression:
    tree: exp.Expression = exp.cast(exp.Literal.string(text), "date")
    return tree
