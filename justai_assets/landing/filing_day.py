"""The day that a webhook event is filed under.

The writer of the landing zone and its reader share this rule: an event filed by one must be found on that day by the
other.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from justai_assets.sources.registry import envelopes_of

MAX_AHEAD: Final = timedelta(days=1)
"""How far ahead of its receipt an event may claim to be; clocks differ, but not by more."""


def filed_under(door: str, body: dict[str, Any], received_at: datetime, org_start: date) -> date | None:
    """The event_date an event is filed under; None files it as undated.

    None for a time that is absent or unreadable, on a day before the org's start, or more than a day ahead of receipt
    (exactly a day ahead still counts).
    """
    moment = envelopes_of(door).event_time(body, received_at)
    if moment is None or moment - received_at > MAX_AHEAD:
        return None
    day = moment.date()
    return None if day < org_start else day
