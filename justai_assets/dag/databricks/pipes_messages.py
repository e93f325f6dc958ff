"""What a job says of each day, read back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from justai_assets.contract.days import Days
from justai_assets.dag.databricks.job_errors import SparkJobError


@dataclass(frozen=True)
class Count:
    """Rows of a day: all of them, and by the reason they have no message (None: they have one, or need none).

    `shared`: kind of id → events that carry one shared by too many, and the people who share it.
    """

    rows: int
    reasons: Mapping[str | None, int]
    shared: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def counts_of(messages: Iterable[Any], days: Days, *, link: str | None = None) -> dict[date, Count]:
    """The count of every day.

    Raises:
        SparkJobError: a day is missing, or what was said is no count.
    """
    counts: dict[date, Count] = {}
    for said in messages:
        if not isinstance(said, dict) or "day" not in said:
            continue
        reasons: dict[str | None, int] = {None: int(said["attributed"])}
        reasons |= {str(why): int(rows) for why, rows in said["reasons"].items()}
        shared = {str(kind): (int(events), int(people)) for kind, (events, people) in said.get("shared", {}).items()}
        counts[date.fromisoformat(said["day"])] = Count(int(said["rows"]), reasons, shared)
    missing = [day for day in days if day not in counts]
    if missing:
        raise SparkJobError(
            f"the job ended well but reported nothing of {len(missing)} of {len(days)} days, {missing[0]} first",
            mend="run them again: what the job wrote is replaced; then look at its log",
            transient=True,
            link=link,
        )
    return counts
