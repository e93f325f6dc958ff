"""Small counts are not shown: hidden where they stand alone, merged with their neighbours where they follow in time.

A count of 1 up to below the minimum could point at a person. 0 is shown: nobody is in it. A rate over a hidden count
would give the count back, so it is hidden with it; so is a count whose complement (messages without success) is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from justai_assets.metrics.experiments.arms import Arm
from justai_assets.metrics.experiments.results import Comparison, VariantResult
from justai_assets.metrics.report import words
from justai_assets.metrics.report.data import Fate


@dataclass(frozen=True)
class Period:
    """Consecutive positions first … last of a daily series, and their sum; None: hidden."""

    first: int
    last: int
    total: int | None

    @property
    def length(self) -> int:
        """How many days."""
        return self.last - self.first + 1


def is_small(count: int, minimum: int) -> bool:
    """Whether a count is too small to show."""
    return 0 < count < minimum


def hides(found: Comparison, minimum: int) -> bool:
    """Whether a comparison would show, or let compute, a small count."""
    return _arm_hides(found.treatment, minimum) or _arm_hides(found.control, minimum)


def _arm_hides(arm: Arm, minimum: int) -> bool:
    cells = (arm.messages, arm.successes, arm.messages - arm.successes)
    return any(is_small(cell, minimum) for cell in cells)


def merged(counts: Sequence[int], minimum: int) -> tuple[Period, ...]:
    """Split a daily series into the shortest periods whose sums may be shown.

    A period closes as soon as its sum reaches the minimum; days of 0 stand alone between periods; what is left over
    at the end joins the last period. A series whose whole sum is small is one hidden period.

    >>> merged([30, 5, 4, 12, 40, 3], 20)
    (Period(first=0, last=0, total=30), Period(first=1, last=3, total=21), Period(first=4, last=5, total=43))
    """
    if not counts:
        return ()
    if is_small(sum(counts), minimum):
        return (Period(0, len(counts) - 1, None),)
    periods: list[Period] = []
    first, total = 0, 0
    for at, count in enumerate(counts):
        total += count
        if not is_small(total, minimum):
            periods.append(Period(first, at, total))
            first, total = at + 1, 0
    while total:
        # Zero days between belong to the merged period, or their place would betray the rest.
        last = periods.pop()
        total += last.total or 0
        first = last.first
        if not is_small(total, minimum):
            periods.append(Period(first, len(counts) - 1, total))
            total = 0
    return tuple(periods)


def folded(fates: Sequence[Fate], minimum: int) -> tuple[tuple[Fate, str], ...]:
    """Fates with their labels, small ones joined to the next smallest of the same asset and door.

    Hiding one would not do: received − accepted − duplicate gives the quarantined back. Where nothing is left to join,
    the small one is alone and its total is as small; both are then hidden cell by cell.
    """
    shown: list[tuple[Fate, str]] = []
    for key in dict.fromkeys((one.asset, one.door) for one in fates):
        group = [one for one in fates if (one.asset, one.door) == key]
        shown += [(one, label(one)) for one in group if one.fate == "received"]
        parts = [(one, label(one)) for one in group if one.fate != "received"]
        while len(parts) > 1 and any(is_small(one.records, minimum) for one, _ in parts):
            by_size = sorted(range(len(parts)), key=lambda at: (parts[at][0].records or math.inf, at))
            small, other = sorted(by_size[:2])
            (a, a_label), (b, b_label) = parts[small], parts[other]
            parts[small] = replace(a, records=a.records + b.records), f"{a_label}; {b_label}"
            del parts[other]
        shown += parts
    return tuple(shown)


def label(fate: Fate) -> str:
    """Accepted, or Quarantined: bad_timestamp."""
    name = words.FATES.get(fate.fate, fate.fate)
    return f"{name}: {fate.reason}" if fate.reason else name


def shown_variants(variants: Sequence[VariantResult], minimum: int) -> tuple[VariantResult, ...]:
    """The copies that may be shown beside the total of the treatment.

    What is left out must itself be large, or the difference to the total would give it back: the smallest copies are
    left out with it until it is.
    """
    shown = sorted(
        (one for one in variants if not hides(one.comparison, minimum)),
        key=lambda one: -one.comparison.treatment.messages,
    )
    hidden = [one.comparison.treatment for one in variants if hides(one.comparison, minimum)]
    while hidden and shown:
        messages, successes = (sum(getattr(arm, name) for arm in hidden) for name in ("messages", "successes"))
        if not _arm_hides(Arm(messages, successes), minimum):
            break
        hidden.append(shown.pop().comparison.treatment)
    return tuple(shown)
