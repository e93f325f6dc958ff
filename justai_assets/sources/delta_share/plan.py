"""What a run is asked for, and which days it has to write, which to empty, and in which commits.

Pure: a listing and a state go in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.file_days import Day, fingerprints
from justai_assets.sources.delta_share.mirror_state import MirrorState
from justai_assets.sources.delta_share.protocol import SharedFile


@dataclass(frozen=True)
class MirrorRequest:
    """What a run is asked for.

    Attributes:
        days: these days and no others; None is all.
        only_changed: of these days, only those that changed. Without it they are replaced, changed or not.
        recheck: list the files even when the version has not moved.
        accept_empty: take an empty list for an answer.
    """

    days: Days | None = None
    only_changed: bool = False
    recheck: bool = False
    accept_empty: bool = False


@dataclass(frozen=True)
class Scope:
    """What a run looks at.

    Attributes:
        days: the days; None is all.
        announced: the version that the share said it has, or None when it was not asked.
        listed_by: `changes` where the change feed told the days, else `snapshot`.
        notes: what a person should know.
    """

    days: frozenset[Day] | None
    announced: int | None = None
    listed_by: str = "snapshot"
    notes: tuple[str, ...] = ()


MAX_BRIDGED_DAYS = 31
"""Days without content between two changed ones that one commit may span."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        files: day → its files, of every day that was looked at.
        prints: day → its new fingerprint.
        changed: days to write, in order; the undated rows (None) come last.
        vanished: days that the mirror holds and the share no longer does, in order.
        kept: days that stay as they are.
        bytes: day → its share of the bytes of its files.
    """

    files: Mapping[Day, tuple[SharedFile, ...]]
    prints: Mapping[Day, str]
    changed: tuple[Day, ...]
    vanished: tuple[Day, ...]
    kept: frozenset[Day]
    bytes: Mapping[Day, int]

    @property
    def touched(self) -> tuple[Day, ...]:
        """The days to write or to empty."""
        return (*self.changed, *self.vanished)

    def part(self, days: Collection[Day]) -> Plan:
        """The plan of some days alone; all others stay as they are."""
        changed = tuple(day for day in self.changed if day in days)
        vanished = tuple(day for day in self.vanished if day in days)
        others = frozenset(day for day in self.touched if day not in days)
        return replace(self, changed=changed, vanished=vanished, kept=self.kept | others)


def make_plan(
    files: Iterable[tuple[SharedFile, frozenset[Day]]],
    state: MirrorState,
    only: frozenset[Day] | None = None,
    may_be_there: Callable[[Day], bool] = lambda _: False,
) -> Plan:
    """Compare what the share lists with what the mirror holds.

    Args:
        files: every listed file with the days it holds.
        state: of the mirror.
        only: the days to look at; None is all. Others are kept, whatever the list says of them.
        may_be_there: whether a day that no file is known to hold may be in one all the same; it is then kept.
    """
    by_day: dict[Day, list[SharedFile]] = defaultdict(list)
    sizes: dict[Day, int] = defaultdict(int)
    wanted = []
    for file, days in files:
        share = file.size // max(1, len(days))
        days = days if only is None else days & only
        wanted.append((file, days))
        for day in days:
            by_day[day].append(file)
            sizes[day] += share
    prints = fingerprints(wanted)
    mirrored = state.days if only is None else {day: one for day, one in state.days.items() if day in only}
    changed = [day for day, found in prints.items() if mirrored.get(day) != found]
    vanished = [day for day in mirrored if day not in prints and not may_be_there(day)]
    kept = (set(state.days) | set(prints)) - set(changed) - set(vanished)
    return Plan(
        {day: tuple(found) for day, found in by_day.items()},
        prints,
        tuple(sorted(changed, key=_undated_last)),
        tuple(sorted(vanished, key=_undated_last)),
        frozenset(kept),
        dict(sizes),
    )


def batches(plan: Plan, limit: int) -> Iterator[tuple[Days | None, tuple[Day, ...]]]:
    """The commits: a range of days that is replaced whole, and the days of it that change.

    A range never covers a day that is kept. It ends where the files of its days exceed `limit` bytes (a file of
    several days counts in each for its part), and spans days without content as long as they are few.
    """
    touched = sorted(day for day in plan.touched if day is not None)
    run: list[date] = []
    size = 0
    for day in touched:
        weight = plan.bytes.get(day, 0)
        if run and (size + weight > limit or not _joins(run[-1], day, plan.kept)):
            yield Days(run[0], run[-1]), tuple(run)
            run, size = [], 0
        run.append(day)
        size += weight
    if run:
        yield Days(run[0], run[-1]), tuple(run)
    if None in plan.changed or None in plan.vanished:
        yield None, (None,)


def _joins(last: date, day: date, kept: frozenset[Day]) -> bool:
    gap = (day - last).days - 1
    return gap <= MAX_BRIDGED_DAYS and not any(last + timedelta(days=1 + one) in kept for one in range(gap))


def _undated_last(day: Day) -> tuple[bool, date]:
    return day is None, day or date.min


def files_of(plan: Plan, days: Iterable[Day]) -> list[SharedFile]:
    """The files of some days, each once, in the order of the days."""
    return list({file.id: file for day in days for file in plan.files.get(day, ())}.values())
