"""What a job says of each day, read back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from justai_assets.contract.days import Days
from justai_assets.dag.databricks.errors import SparkJobError


@dataclass(frozen=True)
class Count:
    """Rows of a day: all of them, and by the reason they have no message (None: they have one, or need none)."""

    rows: int
    reasons: Mapping[str | None, int]


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
        counts[date.fromisoformat(said["day"])] = Count(int(said["rows"]), reasons)
    missing = [day for day in days if day not in counts]
    if missing:
        raise SparkJobError(
            f"the job ended well but reported nothing of {len(missing)} of {len(days)} days, {missing[0]} first",
            mend="run them again: what the job wrote is replaced; then look at its log",
            transient=True,
            link=link,
        )
    return counts
