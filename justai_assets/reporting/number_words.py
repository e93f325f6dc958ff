"""Numbers and verdicts in words: one place for how the report writes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from justai_assets.experiments.arms import Variance
from justai_assets.experiments.metric_names import higher_is_better
from justai_assets.experiments.result_records import Comparison, Estimate, Reading, Verdict

NOTHING: Final = "–"
NOT_SHOWN: Final = "not shown"

VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    "ship": ("▲", "Ship it"),
    "keep_control": ("■", "Keep the control"),
    "keep_running": ("◔", "Keep running"),
    "trade_off": ("◆", "Your call"),
    "broken_split": ("✕", "Broken split"),
    "too_few": ("…", "Too few to say"),
    "no_control": ("○", "No control"),
}
"""A sign and a title: never colour alone."""

FATES: Final = {
    "received": "Received",
    "accepted": "Accepted",
    "duplicate": "Duplicate",
    "quarantined": "Quarantined",
    "attributed": "Attributed to a message",
    "unattributed": "Without a message",
}


def count(value: int) -> str:
    """1234567 → 1 234 567, with narrow spaces that do not break.

    >>> count(1234567)
    '1\u202f234\u202f567'
    """
    return f"{value:,}".replace(",", "\u202f")


def cell(value: int, minimum: int) -> str:
    """A count, or that it is too small to show."""
    return count(value) if value == 0 or value >= minimum else f"under {minimum}"


def rate(value: float | None) -> str:
    """A share of messages with about three digits: 6.21 %, 0.0712 %."""
    if value is None:
        return NOTHING
    percent = 100 * value
    digits = 1 if percent >= 10 else 2 if percent >= 1 else 3
    return f"{percent:.{digits}f}\u00a0%"


def amount(value: float | None) -> str:
    """What a message brings, in the unit of the org's `value`, with about four digits: 1 234, 6.213, 0.0712.

    >>> amount(1234.5), amount(6.2131), amount(0.07123)
    ('1\u202f234', '6.213', '0.0712')
    """
    if value is None:
        return NOTHING
    digits = 0 if value >= 1000 else 3 if value >= 1 else 4
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def change(value: float | None, *, unbounded: str = NOTHING) -> str:
    """A signed relative change: +18.2 %, −4.0 %."""
    if value is None:
        return unbounded
    digits = 1 if abs(value) < 1 else 0
    return f"{100 * value:+.{digits}f}\u00a0%".replace("-", "−")


def interval(found: Estimate, *, always: bool) -> str:
    """Both ends of an interval; an open end is said in words, and so is one for every day that has no end yet."""
    low, high = (found.always_low, found.always_high) if always else (found.low, found.high)
    if low is None and high is None and always:
        return "not yet known"
    if (low is None or low <= -1) and high is None:
        return "anything"
    return f"{change(low, unbounded='any')} to {change(high, unbounded='any')}"


HIDDEN: Final = "hidden: a small count"
"""The reading of a comparison that would give a small count away."""
VARIANCES: Final[dict[Variance, str]] = {
    "user": "by person",
    "partly": "by person where known",
    "message": "by message",
}


def variance(found: Comparison) -> str:
    """By person, by message, or the share of the messages whose person is known."""
    if found.variance != "partly":
        return VARIANCES[found.variance]
    arms = (found.treatment, found.control)
    keyed = sum(arm.known_messages for arm in arms)
    return f"by person for {100 * keyed // max(1, sum(arm.messages for arm in arms))}\u00a0% of the messages"


def p_value(value: float | None) -> str:
    """A p-value with two digits, never 0."""
    if value is None:
        return NOTHING
    return "under 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def days(value: int | None) -> str:
    """Days after which four of five tests show the lift that is looked for, if it is there."""
    if value is None:
        return "cannot be said"
    return "none" if value == 0 else f"{count(value)} (4 of 5 tests)"


def day(value: date | None) -> str:
    """7 Jan 2026."""
    return NOTHING if value is None else f"{value.day}\u00a0{value:%b}\u00a0{value.year}"


def moment(value: datetime) -> str:
    """7 Jan 2026, 14:05 UTC."""
    return f"{day(value.date())}, {value:%H:%M}\u00a0UTC"


def reading(found: Comparison, metric: str, *, alpha: float) -> Reading:
    """What the always-valid interval says: better, worse, undecided, or too few.

    One of several metrics or copies is undecided until its corrected p-value agrees, whatever its own interval says.
    """
    if not found.is_enough:
        return "too few"
    if found.always_valid_p_adjusted is not None and found.always_valid_p_adjusted > alpha:
        return "undecided"
    low, high = found.lift.always_low, found.lift.always_high
    if low is not None and low > 0:
        return "better" if higher_is_better(metric) else "worse"
    if high is not None and high < 0:
        return "worse" if higher_is_better(metric) else "better"
    return "undecided"
