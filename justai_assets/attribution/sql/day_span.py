"""Which days a query gives: a range, the last days whenever it runs, or all.

The days are bounded on the customer's own column, so that the warehouse can skip what lies outside. A function around
the column (`AT TIME ZONE`, a cast) hides it from sort keys, partitions and min/max statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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


_CALENDAR: Final = ("0001-01-01", "9999-12-31")


def within(
    column: exp.Expression, time: Clock, dialect: Dialect, span: Span, *, earlier: int = 0
) -> list[exp.Condition]:
    """The conditions that a column of event times lies in a span; none for all days.

    Args:
        column: as the customer names it.
        time: of the dialect and the kind of column.
        dialect: the dialect.
        span: the days.
        earlier: hours before them that count too.

    Where a bound cannot be said exactly in the column's own kind, the column is bounded a day wider (`time.slack`), and
    exactly by what it is converted to.
    """
    if span.is_all:
        return []
    begin, end = span.begin(time, dialect), span.end(time, dialect)
    if earlier:
        begin = spoken(time.before, dialect, x=begin, hours=earlier)
    conditions = [*_between(column, _own(begin, time, dialect, time.slack), _own(end, time, dialect, -time.slack))]
    if time.slack:
        conditions += _between(spoken(time.utc, dialect, x=column), begin, end)
    return conditions


def in_calendar(column: exp.Expression, time: Clock, dialect: Dialect) -> exp.Condition:
    """The condition that a column of event times is of a year from 1 to 9999: an infinity is no time.

    `attribution.inputs.COMPLETE` says the same to the engine.
    """
    day = spoken(time.day, dialect, x=spoken(time.utc, dialect, x=column))
    first, last = (exp.cast(exp.Literal.string(one), "date") for one in _CALENDAR)
    return exp.Between(this=day, low=first, high=last)


def _between(moment: exp.Expression, begin: exp.Expression, end: exp.Expression) -> list[exp.Condition]:
    return [
        exp.GTE(this=moment.copy(), expression=begin.copy()),
        exp.LT(this=moment.copy(), expression=end.copy()),
    ]


def _own(moment: exp.Expression, time: Clock, dialect: Dialect, hours: int) -> exp.Expression:
    wider = spoken(time.before, dialect, x=moment, hours=hours) if hours else moment
    return spoken(time.own, dialect, x=wider)
