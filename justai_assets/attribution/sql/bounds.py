"""The days of a query, bounded on the customer's own column, so that the warehouse can skip what lies outside.

A function around the column (`AT TIME ZONE`, a cast) hides it from sort keys, partitions and min/max statistics.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from justai_assets.attribution.sql.dialects import Clock, Dialect, spoken
from justai_assets.attribution.sql.span import Span

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
