"""The funnels of a report: all templates and each one, published so that no combination gives away a few.

The funnels are sums of arms. Columns are audited together (disclosure.py) and made coarser until the audit is clean:

- days are merged, in each class of arms that no shown column tells apart;
- where that is not enough, the smallest template with the class is hidden in this column: its arms join another class;
- where what all templates have beyond the shown ones stays small, one more template is hidden, or the column of all.

Each step hides one of n + 1 columns of n templates, and looks at every arm and day once: O(n · arms · days) a field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Final

from justai_assets.experiments import metric_names as metrics
from justai_assets.experiments.arms import ARMS
from justai_assets.experiments.result_records import MetricResult, TemplateResult
from justai_assets.reporting.disclosure import Column, Series, Stated, added, blocks
from justai_assets.reporting.report_data import FunnelDay, ReportData
from justai_assets.reporting.small_counts import Period, hides, is_small, shown_windows

FIELDS: Final = ("sent", "opened", "machine_opened", "clicked", "converted", "unsubscribed")
_FIELDS: Final = {metrics.OPEN: "opened", metrics.CLICK: "clicked", metrics.UNSUBSCRIBE: "unsubscribed"}
_WHOLE: Final = 0


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
    days = tuple(sorted({one.day for arm in data.arms for one in arm.days}))
    if not days:
        return None, (None,) * len(data.templates)
    joint = _Joint(data, days)
    columns = joint.columns()
    found = [PublishedFunnel(days, one) if one else None for one in columns]
    return found[0], tuple(found[1:])


@dataclass(frozen=True)
class _Shown:
    """Which funnels show a column, and by arm where its blocks begin."""

    funnels: frozenset[int]
    starts: tuple[frozenset[int], ...]


class _Joint:
    """All funnels of a report on the same days: position 0 is all templates together, then one a template."""

    def __init__(self, data: ReportData, days: tuple[date, ...]) -> None:
        self.minimum, self.days, self.templates = data.minimum_cell, days, data.templates
        self.given = [one.days for one in data.arms]
        self.roles = [frozenset(one.roles) for one in data.arms]
        place = {one.plan.template: at for at, one in enumerate(data.templates, 1)}
        self.funnels_of = [
            frozenset({_WHOLE} | {place[name] for name, _ in roles if name in place}) for roles in self.roles
        ]
        arms = [_on(days, one) for one in self.given]
        self.series = {field: [_values(one, field) for one in arms] for field in FIELDS}

    def columns(self) -> list[dict[str, tuple[Period, ...]]]:
        """Field → periods, of every funnel; empty for a funnel without days."""
        every = frozenset.union(*self.funnels_of)
        whole_days = _Shown(every, (frozenset(range(len(self.days))),) * len(self.given))
        shown = {"sent": self._audited("sent", whole_days)}
        # What was opened by machines only is counted among what no person opened.
        for field in FIELDS[1:]:
            shown[field] = self._audited(field, shown["opened" if field == "machine_opened" else "sent"])
        return [
            {field: self._periods(field, at, shown[field]) for field in FIELDS if self._is_known(field, at)}
            for at in range(1 + len(self.templates))
        ]

    def _is_known(self, field: str, at: int) -> bool:
        inside = [days for days, funnels in zip(self.given, self.funnels_of, strict=True) if at in funnels]
        return any(getattr(one, field) is not None for days in inside for one in days)

    def _periods(self, field: str, at: int, shown: _Shown) -> tuple[Period, ...]:
        if at not in shown.funnels:
            return (Period(0, len(self.days) - 1, None),)
        inside = [arm for arm, funnels in enumerate(self.funnels_of) if at in funnels]
        values = added(self.series[field], inside)
        starts = sorted(frozenset.intersection(*(shown.starts[arm] for arm in inside)))
        ends = [*starts[1:], len(self.days)]
        return tuple(Period(a, b - 1, sum(values[a:b])) for a, b in zip(starts, ends, strict=True))

    def _audited(self, field: str, base: _Shown) -> _Shown:
        """Hide funnels until every class of arms has blocks; nothing is shown that the base hides."""
        column = Column(self.series[field], self._without(field), base.starts, self._stated(field))
        funnels = base.funnels
        while True:
            shown, small = self._blocks(column, funnels)
            if not small:
                return shown
            with_it = small[0] - {_WHOLE}
            if with_it:
                funnels -= {self._smallest(field, with_it)}
                continue
            # What all templates have beyond the shown ones: enlarge it, or hide what it would be subtracted from.
            others = funnels - {_WHOLE}
            fewer = funnels - {self._smallest(field, others)} if others else funnels
            enough = others and not self._blocks(column, fewer)[1]
            funnels = fewer if enough else funnels - {_WHOLE}

    def _blocks(self, column: Column, funnels: Set[int]) -> tuple[_Shown, list[frozenset[int]]]:
        """The blocks of every class of arms, and the funnels of those that have none, most funnels first."""
        classes: dict[frozenset[int], list[int]] = {}
        for arm, of in enumerate(self.funnels_of):
            if of & funnels:
                classes.setdefault(frozenset(of & funnels), []).append(arm)
        starts, small = list(column.starts), []
        for of, arms in classes.items():
            found = blocks(column, arms, self.minimum)
            if found is None:
                small.append(of)
            for arm in arms if found else ():
                starts[arm] = frozenset(one.first for one in found or ())
        return _Shown(frozenset(funnels), tuple(starts)), sorted(small, key=lambda of: (-len(of), sorted(of)))

    def _smallest(self, field: str, funnels: Set[int]) -> int:
        sizes = {
            at: sum(sum(self.series[field][arm]) for arm, of in enumerate(self.funnels_of) if at in of)
            for at in funnels
        }
        return min(sizes, key=lambda at: (sizes[at], at))

    def _without(self, field: str) -> list[Series]:
        if field == "sent":
            return []
        taken = [field, "opened"] if field == "machine_opened" else [field]
        return [
            tuple(sent - sum(of) for sent, *of in zip(*days, strict=True))
            for days in zip(self.series["sent"], *(self.series[name] for name in taken), strict=True)
        ]

    def _stated(self, field: str) -> list[Stated]:
        """What the comparison of a template's arms shows beside a column."""
        found: list[Stated] = []
        for result in self.templates:
            name = result.plan.template
            arm_of = {role: arm for arm, roles in enumerate(self.roles) for of, role in roles if of == name}
            for one in _compared(result, field, self.minimum):
                both = list(zip(ARMS, (one.comparison.treatment, one.comparison.control), strict=True))
                counts = {arm_of[role]: arm for role, arm in both if role in arm_of}
                messages = {at: arm.messages for at, arm in counts.items()}
                successes = {at: arm.successes for at, arm in counts.items()}
                without = {at: messages[at] - successes[at] for at in counts}
                compared = {day for _, arm in both for day in arm.days or ()}
                days = frozenset(at for at, day in enumerate(self.days) if day in compared)
                is_sent, is_part = field == "sent", field == "converted"
                found.append(Stated(messages if is_sent else successes, {} if is_sent else without, days, is_part))
        return found


def _compared(result: TemplateResult, field: str, minimum: int) -> list[MetricResult]:
    """The comparisons whose counts for a field the report shows."""
    if field == "sent":
        arms = [(one.comparison.treatment, one.comparison.control) for one in result.metrics]
        shown = zip(result.metrics, arms, strict=True)
        return [one for one, both in shown if not any(is_small(arm.messages, minimum) for arm in both)][:1]
    if result.decision.verdict == "broken_split":
        return []
    own = {one.metric: one.window_hours for one in result.metrics if one.is_own_window}
    wanted = [one for one in result.metrics if one.window_hours <= own.get(one.metric, 0)]
    if field == "converted":
        names = sorted({one.metric for one in wanted if metrics.is_conversion(one.metric)})
        return [x for name in names for x in shown_windows([one for one in wanted if one.metric == name], minimum)]
    return [one for one in wanted if _FIELDS.get(one.metric) == field and not hides(one.comparison, minimum)]


def _on(days: Sequence[date], funnel: Sequence[FunnelDay]) -> tuple[FunnelDay, ...]:
    known = {one.day: one for one in funnel}
    return tuple(known.get(day) or FunnelDay(day, 0, 0, None, 0, 0, 0) for day in days)


def _values(funnel: Sequence[FunnelDay], field: str) -> Series:
    return tuple(getattr(one, field) or 0 for one in funnel)
