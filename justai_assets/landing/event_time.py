"""When a webhook event happened, and the day it is filed under.

The writer of the landing zone and its reader share these rules: an event filed by one must be found on that day by the
other.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

MAX_AHEAD: Final = timedelta(days=1)
"""How far ahead of its receipt an event may claim to be; clocks differ, but not by more."""

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))? ?([Zz]|[+-]\d\d(?::?\d\d)?)", re.ASCII)
# What Iterable writes: the standard library reads it several times faster once the space is gone.
_ITERABLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:[0-5]\d [+-]\d\d:\d\d", re.ASCII)


def parse_time(value: Any) -> datetime | None:
    """An event time as a sender writes it, in UTC; None when it cannot be read.

    `"2026-01-05 12:41:03 +00:00"` (Iterable) and RFC 3339: `T` or a space, any fraction, `Z` or an offset. A text
    without an offset names no moment, and a number is no text. Fractions finer than a microsecond are cut, never
    rounded up into the next day; a leap second is the first of the next minute.

    What is read here, the reader of the landing zone (sources.times) reads as the same moment; it reads some more.

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


def event_time(door: str, body: dict[str, Any], received_at: datetime) -> datetime | None:
    """The time of an event by its door: Iterable `dataFields.createdAt`, Chameleon `sent_at`, Journey its receipt."""
    if door == "journey_webhooks":
        return received_at
    if door == "chameleon_webhooks":
        return parse_time(body.get("sent_at"))
    fields = body.get("dataFields")
    return parse_time(fields.get("createdAt")) if isinstance(fields, dict) else None


def filed_under(door: str, body: dict[str, Any], received_at: datetime, org_start: date) -> date | None:
    """The event_date an event is filed under; None files it as undated.

    None for a time that is absent or unreadable, on a day before the org's start, or more than a day ahead of receipt
    (exactly a day ahead still counts).
    """
    moment = event_time(door, body, received_at)
    if moment is None or moment - received_at > MAX_AHEAD:
        return None
    day = moment.date()
    return None if day < org_start else day
