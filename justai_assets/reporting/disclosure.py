"""Which counts a reader could bound, and the audit that decides what a report may show.

**Who attacks.** A reader who knows every published cell, which template has which arms, and that counts are not
negative. The reader may combine cells in any way: sums, differences, fractions of them, linear programs over all of
them.

**Criterion.** An *atom* is the number of messages of one arm, sent on one day, with one outcome (opened or not, …).
Given the published cells, the greatest value that an atom can have must be 0 or at least the minimum k. Then no set
of messages can be shown to hold 1 … k-1 of them: if all its atoms are surely 0, so is the set; else one of them, and
with it the set, may be k or more. This covers every linear combination of cells: a count that a combination
determines is its own greatest value. Greatest values under linear constraints are the usual audit of suppressed
tables (Willenborg & de Waal, *Elements of Statistical Disclosure Control*, 2001; Fischetti & Salazar,
Management Science 47, 2001).

**Why integer sums are enough.** Arms are disjoint: a message has one pair of template and campaign id. Arms that are
in the same shown columns form a *class*: no column tells them apart. Days of a class are merged into *blocks*, and
each published cell is a union of blocks. A reader who is given the blocks themselves knows at least as much, so
auditing blocks is safe. Within a block of sends, messages may move between its arms and days without changing any
cell. A block of an outcome covers whole blocks of sends, so the two are the margins of a transport table, where the
greatest value of a cell is the smaller of its margins. So the criterion holds when each block of sends, each block of
an outcome and each block of what has not that outcome is 0 or at least k. Totals of arms that the comparison shows
are one more margin (`Stated`).

**What it does not cover.** A reader who knows these rules learns from a merged cell that one of the merged is small,
as from any hidden cell. Templates that share an arm and are compared over different days state two totals of that arm,
and these are not audited against each other. Lifts and intervals are rounded numbers over counts that are shown or
hidden as a whole (cells.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from justai_assets.reporting.small_counts import Period, is_small, merged_together

Series = tuple[int, ...]


@dataclass(frozen=True)
class Stated:
    """Totals of arms that the report shows beside the funnel.

    Attributes:
        with_outcome: arm → messages with the outcome.
        without: arm → messages without it; empty for the sends themselves.
        days: positions of the days they cover; they may cover days before the funnel's, too.
        is_part: they count a part of the outcome, such as one event of all conversions.
    """

    with_outcome: Mapping[int, int]
    without: Mapping[int, int]
    days: frozenset[int]
    is_part: bool = False


@dataclass(frozen=True)
class Column:
    """One column of all funnels, by arm.

    Attributes:
        with_outcome: arm → messages with the outcome, by day.
        without: arm → messages without it, by day; empty for the sends themselves.
        starts: arm → positions at which a block may begin.
        stated: totals shown elsewhere.
    """

    with_outcome: Sequence[Series]
    without: Sequence[Series]
    starts: Sequence[frozenset[int]]
    stated: Sequence[Stated] = ()


def blocks(column: Column, arms: Sequence[int], minimum: int) -> tuple[Period, ...] | None:
    """The shortest blocks of a class of arms that meet the criterion, without totals; None when there are none.

    Args:
        column: the column.
        arms: the arms of the class.
        minimum: k.
    """
    if any(is_small(abs(count), minimum) for count in _remainders(column, arms)):
        return None
    series = [added(one, arms) for one in (column.with_outcome, column.without) if one]
    starts = frozenset.intersection(*(column.starts[arm] for arm in arms))
    cuts = {0}
    for one in column.stated:
        if not one.with_outcome.keys().isdisjoint(arms):
            cuts |= {at for at in range(1, len(series[0])) if (at in one.days) != (at - 1 in one.days)}
    if not cuts <= starts:
        return None
    found: list[Period] = []
    for first, end in _spans(cuts, len(series[0])):
        units = _spans({at for at in starts if first <= at < end}, end)
        merged = merged_together([[sum(one[a:b]) for a, b in units] for one in series], minimum)
        if merged is None:
            return None
        found += [Period(units[one.first][0], units[one.last][1] - 1, None) for one in merged]
    return tuple(found)


def added(rows: Sequence[Series], arms: Sequence[int]) -> Series:
    """The daily sums over arms."""
    return tuple(sum(of_day) for of_day in zip(*(rows[arm] for arm in arms), strict=True))


def _spans(starts: Iterable[int], end: int) -> list[tuple[int, int]]:
    return list(pairwise([*sorted(starts), end]))


def _remainders(column: Column, arms: Sequence[int]) -> Iterator[int]:
    """What is left when totals stated elsewhere are subtracted from the class, or the class from them."""
    for one in column.stated:
        inside = [arm for arm in arms if arm in one.with_outcome]
        for rows, totals in ((column.with_outcome, one.with_outcome), (column.without, one.without)):
            if rows:
                yield sum(totals[arm] - sum(rows[arm][at] for at in one.days) for arm in inside)
    whole = [one for one in column.stated if not one.is_part and not one.with_outcome.keys().isdisjoint(arms)]
    # A reader may take blocks of any days and subtract every total that lies in them.
    unions = {one.days | other.days for one in whole for other in whole} | {frozenset().union(*(o.days for o in whole))}
    for days in unions if whole else ():
        covered: dict[int, frozenset[int]] = {}
        for one in whole:
            for arm in one.with_outcome if one.days <= days else ():
                covered[arm] = max(one.days, covered.get(arm, frozenset()), key=len)
        for rows in (column.with_outcome, column.without):
            if rows:
                yield sum(rows[arm][at] for arm in arms for at in days - covered.get(arm, frozenset()))
