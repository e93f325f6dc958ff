"""When a test runs: the periods of one control share, told from the sends themselves.

The share of the control is steady within a period and changes between periods: a copy goes live at three in the
afternoon, a share is raised, a control is switched off. The days of a test are cut where the likelihood of two shares
beats that of one by e¹⁵ and the odds differ by half or more (binary segmentation; Scott & Knott 1974, Biometrics 30).
A smaller difference is no new period: the sample-ratio check (sample_ratio.py) looks for those.

A period of a single day between others is the day of a change. On such a day the hours of one arm are compared with
other hours of the other arm, so the day is left out. Nothing here depends on what happened to the messages, so leaving
days out keeps every promise about the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from justai_assets.metrics.experiments.arms import CONTROL, TREATMENT

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
        first: first send day.
        last: last send day.
        days: send days in it; days without a send do not count.
        treatment: messages of the treatment.
        control: messages of the control.
    """

    first: date
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
    cut = [
        Period(days[begin], days[end - 1], end - begin, *(int(count) for count in counts[begin:end].sum(axis=0)))
        for begin, end in _segments(counts, 0, len(days))
    ]
    # While hardly anything was sent there is no test yet, and what there is may be looked at.
    running = [one for one in cut if one.runs] or [one for one in cut if one.treatment and one.control]
    changes = [one for one in running if one.days == 1 and len(running) > 1]
    periods = [one for one in running if one not in changes]
    last, stopped = cut[-1], None
    if periods and last not in running:
        stopped = TREATMENT if last.treatment < last.control else CONTROL
    return Allocation(tuple(periods), tuple(one.first for one in changes), stopped)


def _segments(counts: npt.NDArray[np.int64], begin: int, end: int) -> list[tuple[int, int]]:
    """Cut days begin … end − 1 where the shares before and after differ most, and both parts again."""
    sums = np.cumsum(counts[begin:end], axis=0)
    before, after = sums[:-1], sums[-1] - sums[:-1]
    if not len(before):
        return [(begin, end)]
    gain = _log_likelihood(before) + _log_likelihood(after) - _log_likelihood(sums[-1])
    odds = np.abs(_log_odds(before) - _log_odds(after))
    gain = np.where(odds >= _ODDS, gain, 0.0)
    at = int(np.argmax(gain))
    if gain[at] < _GAIN:
        return [(begin, end)]
    cut = begin + at + 1
    return [*_segments(counts, begin, cut), *_segments(counts, cut, end)]


def _log_likelihood(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    from scipy.special import xlogy

    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(xlogy(counts, counts / np.maximum(total, 1)).sum(axis=-1), dtype=np.float64)


def _log_odds(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.log(counts[..., 0] + 0.5) - np.log(counts[..., 1] + 0.5), dtype=np.float64)
