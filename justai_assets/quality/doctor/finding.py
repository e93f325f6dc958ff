"""What the doctor says: one finding, and its mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One finding about a door.

    Attributes:
        door: the door, or the org's slug where all doors are meant.
        check: what was looked at, one or two words.
        level: a problem makes events wrong or missing, or brings personal data that nobody asked for; a warning should
            be looked at.
        message: what was found. Counts, names, times; never a value out of a record.
        mend: what to do about it; empty when it is ok.
    """

    door: str
    check: str
    level: Level
    message: str
    mend: str = ""


def is_well(findings: list[Finding]) -> bool:
    """Whether nothing is wrong; warnings do not count."""
    return not any(finding.level == "problem" for finding in findings)
