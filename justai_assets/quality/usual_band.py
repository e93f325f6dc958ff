"""The usual band of a number that was observed day by day."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

DAYS_BACK = 28
"""Four whole weeks, so that weekends are in the band."""

MIN_DAYS = 7
WIDTH = 4.0
_MAD_TO_SIGMA = 1.4826


def usual_band(history: Sequence[float], floor: float) -> tuple[float, float] | None:
    """Low and high of what is usual, or None when the history has fewer than seven days.

    The median plus and minus four robust standard deviations (1.4826 × the median absolute deviation), and never
    narrower than `floor` on either side: one wild day in the history does not widen the band, and a quiet history does
    not make it a line.

    >>> usual_band([0.5, 0.52, 0.48, 0.5, 0.51, 0.49, 0.5, 9.0], floor=0.1)
    (0.4, 0.6)
    """
    if len(history) < MIN_DAYS:
        return None
    middle = median(history)
    spread = _MAD_TO_SIGMA * median(abs(value - middle) for value in history)
    reach = max(WIDTH * spread, floor)
    return middle - reach, middle + reach
