"""Funnels that no subtraction sees through.

A small count that is hidden can come back as the difference of two that are shown: all templates less all others, sent
less opened, the funnel less the arms of the comparison. So the funnels of a report are published together:

- in a template's column days are merged until the number, and what it leaves of the messages sent, is 0 or at least
  the minimum;
- in the column of all templates until the same holds of it less any choice of templates, too: what can be subtracted
  is known over whole periods of that column only;
- a template's column whose whole sum is small is hidden, and the smallest others with it until the hidden ones together
  are not small; the column of all templates is hidden where that does not help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Final

from justai_assets.metrics.experiments import metric as metrics
from justai_assets.metrics.experiments.results import TemplateResult
from justai_assets.metrics.report.cells import Period, hides, is_small, merged_together
from justai_assets.metrics.report.data import FunnelDay, ReportData

FIELDS: Final = ("sent", "opened", "machine_opened", "clicked", "converted", "unsubscribed")
_METRICS: Final = {"opened": metrics.OPEN, "clicked": metrics.CLICK, "unsubscribed": metrics.UNSUBSCRIBE}
_ALL_SUBSETS_UP_TO: Final = 6

Series = tuple[int, ...]


@dataclass(frozen=True)
class PublishedFunnel:
    """One funnel as it may be shown.

    Attributes:
        days: send days, in order.
        columns: field of FunnelDay → periods over positions of `days`; a total of None is hidden. A field that the door
            does not know is missing.
    """

    days: tuple[date, ...]
    columns: Mapping[str, tuple[Period, ...]]

    def rates(self, field: str) -> list[tuple[date, float]]:
        """(last day, share of the messages sent) of each period that is shown and in which something was sent."""
        sent = self.columns["sent"]
        found = []
        for period in self.columns.get(field, ()):
            parts = [one.total for one in sent if period.first <= one.first and one.last <= period.last]
            total = sum(part for part in parts if part is not None)
            if period.total is not None and total and None not in parts:
                found.append((self.days[period.last], period.total / total))
        return found


def publish(data: ReportData) -> tuple[PublishedFunnel | None, tuple[PublishedFunnel | None, ...]]:
    """The funnel of all templates and of each, in the report's order; None for one without days."""
    days = tuple(sorted({one.day for funnel in (data.funnel, *(t.funnel for t in data.templates)) for one in funnel}))
    if not days:
        return None, (None,) * len(data.templates)
    joint = _Joint(data, days)
    columns: list[dict[str, tuple[Period, ...]]] = [{} for _ in range(1 + len(data.templates))]
    for field in FIELDS:
        for at, periods in enumerate(joint.column(field)):
            if periods is not None:
                columns[at][field] = periods
    found = [PublishedFunnel(days, one) if "sent" in one else None for one in columns]
    return found[0], tuple(found[1:])


class _Joint:
    """All funnels of a report on the same days; position 0 is all templates together."""

    def __init__(self, data: ReportData, days: tuple[date, ...]) -> None:
        self.minimum, self.days = data.minimum_cell, days
        self.funnels = [_on(days, data.funnel), *(_on(days, one.funnel) for one in data.templates)]
        self.is_there = [bool(data.funnel), *(bool(one.funnel) for one in data.templates)]
        self.shown_arms = [(), *(_arms(one.result, data.minimum_cell) for one in data.templates)]
        self.sent = [_values(one, "sent") for one in self.funnels]
        # The whole is there to be subtracted from only if it is shown.
        self.parts = [at for at in range(1, len(self.funnels)) if self.is_there[at]]
        day_by_day = tuple(Period(at, at, None) for at in range(len(days)))
        self.units = [day_by_day] * len(self.funnels)

    def column(self, field: str) -> list[tuple[Period, ...] | None]:
        """The periods of one field in every funnel; None where the field is unknown or the funnel has no days."""
        known = [
            there and any(getattr(one, field) is not None for one in funnel)
            for there, funnel in zip(self.is_there, self.funnels, strict=True)
        ]
        values = [_values(one, field) for one in self.funnels]
        hidden = self._hidden(field, values)
        shown = [at for at in self.parts if at not in hidden]
        found: list[tuple[Period, ...] | None] = []
        for at, one in enumerate(values):
            if not known[at]:
                found.append(None)
                continue
            series = [(one, self.sent[at])]
            if at == 0:
                less = self._differences(values, shown), self._differences(self.sent, shown)
                series += zip(*less, strict=True)
            found.append(None if at in hidden else self._periods(field, at, series))
            if found[-1] is None:
                found[-1] = (Period(0, len(self.days) - 1, None),)
        return found

    def _periods(self, field: str, at: int, series: Sequence[tuple[Series, Series]]) -> tuple[Period, ...] | None:
        """Periods of the first series over which none of them, and nothing it leaves of what was sent, is small."""
        units, own = self.units[at], series[0][0]
        wanted = [one for one, _ in series]
        if field != "sent":
            wanted += [tuple(s - x for s, x in zip(sent, one, strict=True)) for one, sent in series]
        by_unit = [tuple(sum(one[unit.first : unit.last + 1]) for unit in units) for one in wanted]
        merged = merged_together(by_unit, self.minimum)
        if merged is None:
            return None
        spans = [(units[one.first].first, units[one.last].last) for one in merged]
        periods = tuple(Period(first, last, sum(own[first : last + 1])) for first, last in spans)
        if field == "sent":
            # What follows is merged over whole periods of it, or a difference of the two would be over fewer days.
            self.units[at] = periods
        return periods

    def _hidden(self, field: str, values: Sequence[Series]) -> set[int]:
        hidden = {at for at in self.parts if self._is_small([at], values) or self._gives_away(field, at, values)}
        betrayed = any(self._gives_away(field, at, values) for at in self.parts)
        while hidden and self._is_small(sorted(hidden), values) and len(hidden) < len(self.parts):
            shown = [at for at in self.parts if at not in hidden]
            hidden.add(min(shown, key=lambda at: (sum(values[at]), at)))
        shown = [at for at in self.parts if at not in hidden]
        if betrayed or any(is_small(abs(sum(one)), self.minimum) for one in self._differences(values, shown)):
            hidden.add(0)
        return hidden

    def _is_small(self, group: Sequence[int], values: Sequence[Series]) -> bool:
        total, sent = (sum(sum(of[at]) for at in group) for of in (values, self.sent))
        return is_small(total, self.minimum) or is_small(sent - total, self.minimum)

    def _gives_away(self, field: str, at: int, values: Sequence[Series]) -> bool:
        """Whether the comparison of the arms, shown beside it, differs from the funnel by a small count."""
        return any(
            is_small(abs(sum(values[at]) - count), self.minimum) for name, count in self.shown_arms[at] if name == field
        )

    def _differences(self, values: Sequence[Series], shown: Sequence[int]) -> list[Series]:
        """All templates less some that are shown: every choice of few, of many all but one, each, and all."""
        sizes: set[int] = set(range(1, len(shown) + 1))
        if len(shown) > _ALL_SUBSETS_UP_TO:
            sizes = {1, len(shown) - 1, len(shown)}
        return [
            tuple(whole - sum(values[at][day] for at in some) for day, whole in enumerate(values[0]))
            for size in sorted(sizes)
            for some in combinations(shown, size)
        ]


def _on(days: Sequence[date], funnel: Sequence[FunnelDay]) -> tuple[FunnelDay, ...]:
    known = {one.day: one for one in funnel}
    machine = 0 if any(one.machine_opened is not None for one in funnel) else None
    return tuple(known.get(day) or FunnelDay(day, 0, 0, machine, 0, 0, 0) for day in days)


def _values(funnel: Sequence[FunnelDay], field: str) -> Series:
    return tuple(getattr(one, field) or 0 for one in funnel)


def _arms(result: TemplateResult, minimum: int) -> tuple[tuple[str, int], ...]:
    """Field of the funnel → what the shown comparison has for it, both arms together."""
    if not result.is_readable:
        return ()
    own = [one for one in result.metrics if one.is_own_window and not hides(one.comparison, minimum)]
    found = []
    for one in own:
        arms = one.comparison.treatment, one.comparison.control
        found.append(("sent", sum(arm.messages for arm in arms)))
        for field, name in _METRICS.items():
            if one.metric == name:
                found.append((field, sum(arm.successes for arm in arms)))
        if metrics.is_conversion(one.metric):
            found.append(("converted", sum(arm.successes for arm in arms)))
    return tuple(dict.fromkeys(found))
