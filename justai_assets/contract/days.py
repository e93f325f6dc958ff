"""Days: an inclusive range of event_dates in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from justai_assets.contract.errors import UsageError


class DaysError(UsageError):
    """A range that is not a range of days."""

    code = "days"


@dataclass(frozen=True, order=True)
class Days:
    """The days first … last, both inclusive, in UTC.

    >>> [str(day) for day in Days(date(2026, 1, 30), date(2026, 2, 1))]
    ['2026-01-30', '2026-01-31', '2026-02-01']
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise DaysError(f"{self.first} … {self.last} holds no day", mend="give the earlier day first")

    @classmethod
    def parse(cls, first: str, last: str) -> Days:
        """From two YYYY-MM-DD strings; DaysError names the one that is not a date."""
        return cls(parse_day(first), parse_day(last))

    def __iter__(self) -> Iterator[date]:
        """Each day in order."""
        for offset in range(len(self)):
            yield self.first + timedelta(days=offset)

    def __len__(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    def __contains__(self, day: object) -> bool:
        """Whether a date lies in the range."""
        return isinstance(day, date) and self.first <= day <= self.last

    def __str__(self) -> str:
        """First … last, or the day."""
        return str(self.first) if self.first == self.last else f"{self.first} … {self.last}"


def parse_day(text: str) -> date:
    """A YYYY-MM-DD string as a date; DaysError otherwise."""
    day = day_or_none(text)
    if day is None:
        raise DaysError(f"{text!r} is not a day", mend="write it as YYYY-MM-DD, for example 2026-01-31")
    return day


def day_or_none(text: str) -> date | None:
    """A YYYY-MM-DD string as a date, else None; ISO's other spellings (20260131, 2026-W05-6) are no days here."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def neighbours(days: Iterable[date]) -> list[Days]:
    """Days as ranges, runs of neighbours as one, in order."""
    ranges: list[Days] = []
    for day in sorted(set(days)):
        if ranges and (day - ranges[-1].last).days == 1:
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days(day, day))
    return ranges


def spans(days: Iterable[date]) -> str:
    """Days in words, runs of neighbours as one.

    >>> spans([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)])
    '2026-01-01 … 2026-01-02, 2026-01-05'
    """
    return ", ".join(map(str, neighbours(days)))
