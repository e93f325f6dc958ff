"""What a run of a mirror is asked for, and what it therefore looks at."""

from __future__ import annotations

from dataclasses import dataclass

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.days import Day


@dataclass(frozen=True)
class Wish:
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
        remarks: what a person should know.
    """

    days: frozenset[Day] | None
    announced: int | None = None
    listed_by: str = "snapshot"
    remarks: tuple[str, ...] = ()
