"""When a test runs: the periods of one control share, told from the sends themselves.

The share of the control is steady within a period and changes between periods: a copy goes live at three in the
afternoon, a share is raised, a control is switched off or pauses. The days of a test are cut where the likelihood of
two shares beats that of one by e¹⁵ (circular binary segmentation; Olshen et al. 2004, Biostatistics 5) and the odds
differ by half or more. A smaller difference is no new period: the sample-ratio check (sample_ratio.py) looks for those.

A period begins on the first day and ends on the last day on which both arms sent. The first day may be half a day: a
copy that goes live in the afternoon leaves the control the morning. Where little is sent no likelihood tells such a day
apart, so the split of a period is counted from its second day on.

A period of a single day between others is the day of a change. On such a day the hours of one arm are compared with
other hours of the other arm, so the day is left out. Nothing here depends on what happened to the messages, so leaving
days out keeps every promise about the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from justai_assets.experiments.arms import CONTROL, TREATMENT

MINIMUM_SENDS: Final = 10
"""Sends that each arm needs in a period: a trial message before the launch begins no test."""
MINIMUM_SHARE: Final = 0.01
"""Share of the sends that each arm needs in a period."""
_GAIN: Final = 15.0
_ODDS: Final = np.log(1.5)


@dataclass(frozen=True)
class Period:
    """Send days with one share.

    Attributes:
        first: first send day, of both arms.
        second: second send day; the split is counted from it on. None: there is one day.
        last: last send day, of both arms.
        days: send days in it; days without a send do not count.
        treatment: messages of the treatment.
        control: messages of the control.
    """

    first: date
    second: date | None
    last: date
    days: int
    treatment: int
    control: int

    @property
    def control_share(self) -> float:
        """Share of the control."""
        return self.control / (self.treatment + self.control)

    @property
    def runs(self) -> bool:
        """Whether both arms sent enough."""
        least = min(self.treatment, self.control)
        return least >= MINIMUM_SENDS and least >= MINIMUM_SHARE * (self.treatment + self.control)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Allocation:
    """When a test ran.

    Attributes:
        periods: on whose days arms are compared, in order; empty before the test has begun.
        changes: send days on which a share changed; nothing is compared on them.
        stopped: the arm that stopped sending after the last period, or None.
    """

    periods: tuple[Period, ...]
    changes: tuple[date, ...]
    stopped: str | None

    @property
    def first(self) -> date | None:
        """First send day compared."""
        return self.periods[0].first if self.periods else None

    @property
    def last(self) -> date | None:
        """Last send day compared."""
        return self.periods[-1].last if self.periods else None

    def split(self, sent: Mapping[date, tuple[int, int]]) -> dict[date, tuple[int, int]]:
        """The sends by which the split is checked: those of the last period, from its second day on.

        Nothing while an arm has hardly sent: a trial message or two before the launch is no split yet.
        """
        last = self.periods[-1] if self.periods else None
        if last is None or last.second is None or min(last.treatment, last.control) < MINIMUM_SENDS:
            return {}
        return {day: counts for day, counts in sent.items() if last.second <= day <= last.last}

    def __contains__(self, day: date) -> bool:
        """Whether the sends of a day count. Until both arms have sent all do: nothing is compared, all is described."""
        return not (self.periods or self.changes) or any(day in period for period in self.periods)


def allocation(sent: Mapping[date, tuple[int, int]]) -> Allocation:
    """Find the periods of a test.

    Args:
        sent: send day → messages of the treatment and of the control.

    Returns:
        No periods where one arm has sent nothing at all.
    """
    days = sorted(day for day, counts in sent.items() if sum(counts))
    if not days:
        return Allocation((), (), None)
    counts = np.array([sent[day] for day in days], dtype=np.int64)
    cut = [_period(days, counts, begin, end) for begin, end in _segments(counts)]
    # While hardly anything was sent there is no test yet, and what there is may be looked at.
    running = [one for one in cut if one.runs] or [one for one in cut if one.treatment and one.control]
    changes = [one for one in running if one.days == 1 and len(running) > 1]
    periods = [one for one in running if one not in changes]
    stopped = None
    if periods and (cut[-1] not in running or (cut[-1] in changes and cut[-1].last < days[-1])):
        treatment, control = (sum(sent[day][at] for day in days if day > periods[-1].last) for at in (0, 1))
        stopped = TREATMENT if treatment < control else CONTROL
    return Allocation(tuple(periods), tuple(one.first for one in changes), stopped)


def _period(days: Sequence[date], counts: npt.NDArray[np.int64], begin: int, end: int) -> Period:
    """The period of days begin … end − 1: from the first to the last on which both arms sent, if ever both did."""
    both = np.flatnonzero(counts[begin:end].min(axis=1))
    if len(both):
        begin, end = begin + int(both[0]), begin + int(both[-1]) + 1
    treatment, control = (int(count) for count in counts[begin:end].sum(axis=0))
    second = days[begin + 1] if end - begin > 1 else None
    return Period(days[begin], second, days[end - 1], end - begin, treatment, control)


def _segments(counts: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut the days where shares differ, and join neighbours again whose odds differ by less than half.

    Joining comes last: a control that pauses for some days among many differs little from the days before it and after
    it taken together.
    """
    found = _cut(counts, 0, len(counts))
    while len(found) > 1:
        odds = [float(_log_odds(counts[begin:end].sum(axis=0))) for begin, end in found]
        apart = [abs(after - before) for before, after in pairwise(odds)]
        at = int(np.argmin(apart))
        if apart[at] >= _ODDS:
            break
        found[at : at + 2] = [(found[at][0], found[at + 1][1])]
    return found


def _cut(counts: npt.NDArray[np.int64], begin: int, end: int) -> list[tuple[int, int]]:
    """Cut the days out of begin … end − 1 that differ most from the others, and cut every part again.

    Two cuts at once see what one cut does not: days in the middle that differ from those on both sides.
    """
    sums = np.concatenate([np.zeros((1, 2), dtype=np.int64), np.cumsum(counts[begin:end], axis=0)])
    inside = sums[None, :] - sums[:, None]
    outside = sums[-1] - inside
    gain = _log_likelihood(inside) + _log_likelihood(outside) - _log_likelihood(sums[-1])
    # Only i < j is a run of days i … j − 1.
    first, last = (int(at) for at in np.unravel_index(np.argmax(np.triu(gain, 1)), gain.shape))
    if gain[first, last] < _GAIN or first >= last:
        return [(begin, end)]
    parts = [(begin, begin + first), (begin + first, begin + last), (begin + last, end)]
    return [part for low, high in parts if low < high for part in _cut(counts, low, high)]


def _log_likelihood(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    from scipy.special import xlogy

    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(xlogy(counts, counts / np.maximum(total, 1)).sum(axis=-1), dtype=np.float64)


def _log_odds(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.log(counts[..., 0] + 0.5) - np.log(counts[..., 1] + 0.5), dtype=np.float64)
