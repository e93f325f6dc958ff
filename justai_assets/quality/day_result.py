"""The verdict of a check on one day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Verdict:
    """What a check found on a day.

    Attributes:
        day: the event_date.
        numbers: what was counted or measured, by name; shown whether or not anything is wrong.
        problems: what is wrong, each in words; empty when nothing is.
        warnings: what a person should look at, though the data may flow on.

    Words and numbers only: never a value out of a record.
    """

    day: date
    numbers: Mapping[str, int | float]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether there is nothing to say."""
        return not self.problems and not self.warnings


def totals(verdicts: Iterable[Verdict]) -> dict[str, int | float]:
    """The sums of the numbers over days; a share or a rate is no sum and is left out."""
    sums: dict[str, int | float] = {}
    for verdict in verdicts:
        for name, number in verdict.numbers.items():
            if isinstance(number, int):
                sums[name] = sums.get(name, 0) + number
    return sums
