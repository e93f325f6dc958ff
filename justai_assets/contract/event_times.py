"""When an event happened, as a sender of webhooks writes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))? ?([Zz]|[+-]\d\d(?::?\d\d)?)", re.ASCII)
# What Iterable writes: the standard library reads it several times faster once the space is gone.
_ITERABLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:[0-5]\d [+-]\d\d:\d\d", re.ASCII)


def parse_time(value: Any) -> datetime | None:
    """An event time as a sender writes it, in UTC; None when it cannot be read.

    `"2026-01-05 12:41:03 +00:00"` (Iterable) and RFC 3339: `T` or a space, any fraction, `Z` or an offset. A text
    without an offset names no moment, and a number is no text. Fractions finer than a microsecond are cut, never
    rounded up into the next day; a leap second is the first of the next minute.

    The reader of the landing zone (sources.times) reads each of these texts as the same moment, and some more forms.

    >>> parse_time("2026-01-05 12:41:03 +02:00").isoformat()
    '2026-01-05T10:41:03+00:00'
    """
    try:
        return _from_text(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _from_text(text: str) -> datetime | None:
    if _ITERABLE.fullmatch(text):
        return datetime.fromisoformat(text[:19] + text[20:]).astimezone(UTC)
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    delta = timedelta()
    if offset[0] in "+-":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        if digits[2:] > "59":
            return None
        delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        delta = -delta if offset[0] == "-" else delta
    # datetime has no second 60.
    leap = timedelta(seconds=second == "60")
    seconds = 59 if leap else int(second)
    microseconds = int((fraction or "0").ljust(6, "0")[:6])
    zone = timezone(delta)
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), seconds, microseconds, zone)
    return (moment + leap).astimezone(UTC)
