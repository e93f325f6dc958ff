"""Small counts are not shown: hidden where they stand alone, merged with their neighbours where they follow in time.

A count of 1 up to below the minimum could point at a person. 0 is shown: nobody is in it. A rate over a hidden count
would give the count back, so it is hidden with it; so is a count whose complement (messages without success) is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.result_records import Comparison, MetricResult, VariantResult
from justai_assets.reporting import number_words as words
from justai_assets.reporting.report_data import Fate

_SUMS: Final = (("accepted", "duplicate", "quarantined"), ("attributed", "unattributed"))


@dataclass(frozen=True)
class Period:
    """Consecutive positions first … last of a daily series, and their sum; None: hidden, or not asked for."""

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


def merged_together(series: Sequence[Sequence[int]], minimum: int) -> tuple[Period, ...] | None:
    """Split days into the shortest periods over which the sum of every series may be shown; None if there are none.

    A period closes as soon as every sum is 0 or reaches the minimum, below 0 as above; what is left over at the end
    joins the periods before. The periods carry no total.

    Args:
        series: daily numbers, all of the same days.
        minimum: the smallest count that may be shown.

    >>> [(one.first, one.last) for one in merged_together([[30, 5, 4, 12, 40, 3]], 20)]
    [(0, 0), (1, 3), (4, 5)]
    """
    days = len(series[0]) if series else 0
    spans: list[tuple[int, int]] = []
    first, sums = 0, [0] * len(series)
    for day in range(days):
        sums = [total + one[day] for total, one in zip(sums, series, strict=True)]
        if not any(is_small(abs(total), minimum) for total in sums):
            spans.append((first, day))
            first, sums = day + 1, [0] * len(series)
    while first < days:
        # Days of nothing before the rest belong to it, too, or their place would betray it.
        if not spans:
            return None
        first, _ = spans.pop()
        sums = [sum(one[first:]) for one in series]
        if not any(is_small(abs(total), minimum) for total in sums):
            spans.append((first, days - 1))
            first = days
    return tuple(Period(first, last, None) for first, last in spans)


def folded(fates: Sequence[Fate], minimum: int) -> tuple[tuple[Fate, str], ...]:
    """Fates with their labels, small ones joined to the next smallest of the same asset, door and sum.

    Hiding one would not do: received − accepted − duplicate gives the quarantined back. received = accepted + duplicate
    + quarantined and accepted = attributed + unattributed are sums of their own, and a remark (unread_column) is in
    none: what is joined stays within its sum. Where nothing is left to join, the small one is alone and its total is as
    small; both are then hidden cell by cell.
    """
    shown: list[tuple[Fate, str]] = []
    for key in dict.fromkeys((one.asset, one.door) for one in fates):
        group = [one for one in fates if (one.asset, one.door) == key]
        shown += [(one, label(one)) for one in group if one.fate == "received"]
        for sum_of in _SUMS:
            shown += _joined([(one, label(one)) for one in group if one.fate in sum_of], minimum)
        known = {"received", *(name for sum_of in _SUMS for name in sum_of)}
        shown += [(one, label(one)) for one in group if one.fate not in known]
    return tuple(shown)


def _joined(parts: list[tuple[Fate, str]], minimum: int) -> list[tuple[Fate, str]]:
    while len(parts) > 1 and any(is_small(one.records, minimum) for one, _ in parts):
        by_size = sorted(range(len(parts)), key=lambda at: (parts[at][0].records or math.inf, at))
        small, other = sorted(by_size[:2])
        (a, a_label), (b, b_label) = parts[small], parts[other]
        parts[small] = replace(a, records=a.records + b.records), f"{a_label}; {b_label}"
        del parts[other]
    return parts


def label(fate: Fate) -> str:
    """Accepted, or Quarantined: bad_timestamp."""
    name = words.FATES.get(fate.fate, fate.fate)
    return f"{name}: {fate.reason}" if fate.reason else name


def shown_variants(variants: Sequence[VariantResult], treatment: Arm, minimum: int) -> tuple[VariantResult, ...]:
    """The copies that may be shown beside the total of the treatment.

    What is left out, messages without a copy among it, must itself be large, or the difference to the total would give
    it back: the smallest copies are left out with it until it is.
    """
    shown = sorted(
        (one for one in variants if not hides(one.comparison, minimum)),
        key=lambda one: -one.comparison.treatment.messages,
    )
    while shown:
        messages, successes = (
            getattr(treatment, name) - sum(getattr(one.comparison.treatment, name) for one in shown)
            for name in ("messages", "successes")
        )
        if not _arm_hides(Arm(messages, successes), minimum):
            break
        shown.pop()
    return tuple(shown)


def shown_windows(found: Sequence[MetricResult], minimum: int) -> tuple[MetricResult, ...]:
    """The windows of one event that may be shown beside each other; the org's own first, if it may.

    Windows are nested: what a longer one has beyond a shorter is a count, too, and so is the rest of the messages.
    """
    shown: list[MetricResult] = []
    for one in sorted(found, key=lambda one: (not one.is_own_window, one.window_hours)):
        if not hides(one.comparison, minimum) and not any(_differ_little(one, other, minimum) for other in shown):
            shown.append(one)
    return tuple(shown)


def _differ_little(one: MetricResult, other: MetricResult, minimum: int) -> bool:
    return any(
        is_small(abs(getattr(one.comparison, arm).successes - getattr(other.comparison, arm).successes), minimum)
        for arm in ("treatment", "control")
    )
