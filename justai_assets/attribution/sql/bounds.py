"""The days of a query, bounded on the customer's own column, so that the warehouse can skip what lies outside.

A function around the column (`AT TIME ZONE`, a cast) hides it from sort keys, partitions and min/max statistics.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlglot import exp

from justai_assets.attribution.sql.dialects import Clock, Dialect, spoken
from justai_assets.attribution.sql.span import Span

_FIRST_DAY: Final = "0001-01-01"


def within(
    column: exp.Expression, time: Clock, dialect: Dialect, span: Span, *, earlier: int = 0
) -> list[exp.Condition]:
    """The conditions that a column of event times lies in a span; for all days, that it lies in the calendar.

    An infinity, or a year before 1 or beyond 9999, is no time: `attribution.inputs.COMPLETE` leaves it out too.

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
        day = spoken(time.day, dialect, x=spoken(time.utc, dialect, x=column))
        first, last = (exp.cast(exp.Literal.string(str(one)), "date") for one in (_FIRST_DAY, date.max))
        return [exp.Between(this=day, low=first, high=last)]
    begin, end = span.begin(time, dialect), span.end(time, dialect)
    if earlier:
        begin = spoken(time.before, dialect, x=begin, hours=earlier)
    conditions = [*_between(column, _own(begin, time, dialect, time.slack), _own(end, time, dialect, -time.slack))]
    if time.slack:
        conditions += _between(spoken(time.utc, dialect, x=column), begin, end)
    return conditions


def _between(moment: exp.Expression, begin: exp.Expression, end: exp.Expression) -> list[exp.Condition]:
    return [
        exp.GTE(this=moment.copy(), expression=begin.copy()),
        exp.LT(this=moment.copy(), expression=end.copy()),
    ]


def _own(moment: exp.Expression, time: Clock, dialect: Dialect, hours: int) -> exp.Expression:
    wider = spoken(time.before, dialect, x=moment, hours=hours) if hours else moment
    return spoken(time.own, dialect, x=wider)
