"""Days that were made by other code, another rule or another salt than today's, and what must not be read together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from justai_assets.contract.days import Days, spans
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, Table
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.stamp import MIXED, NO_SALT, fingerprint, stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org

UNSTAMPED: Final = "unstamped"
"""Built before days were stamped: nobody knows by what."""


class SaltError(JustAIError):
    """Days whose pseudonyms come from different salts, so that nobody in them is the same person."""

    code = "mixed_salts"


def outdated_days(
    org: Org, lake: Lake, table: Table, *, salt: str | None = None, built: BuiltDays | None = None
) -> Mapping[date, tuple[str, ...]]:
    """Built days of a table that were made by something else than what would make them now, and what differs.

    Args:
        org: the org.
        lake: the lake.
        table: one of the org's tables.
        salt: fingerprint of the org's salt; NO_SALT where it cannot be had and is not to be judged.
        built: what the table's logs say, where they are read already.

    Returns:
        Day → code, rule, salt, or UNSTAMPED. Days that are torn or were never built are not among them.
    """
    wanted = stamp_of(org, table, salt)
    found = (built or BuiltDays.of(lake, org.slug, table)).stamps
    what = {one: (UNSTAMPED,) if one is None else one.differs(wanted) for one in set(found.values())}
    # Most often nothing differs, and no day has to be looked at.
    return {day: what[one] for day, one in sorted(found.items()) if what[one]} if any(what.values()) else {}


def salt_of(org: Org, lake: Lake, days: Days) -> str:
    """Fingerprint of the salt by which days of esp_events were pseudonymised; MIXED, or NO_SALT where none is known."""
    found = set(_salts(lake, org, ESP_EVENTS, days).values())
    return found.pop() if len(found) == 1 else MIXED if found else NO_SALT


def salt_of_lookback(org: Org, lake: Lake, days: Days) -> str:
    """Fingerprint of the one salt of all that days of attributed_events read; NO_SALT where none is known.

    A send of a person is not found by the pseudonym that another salt gives to the same person: such days would
    attribute less, and nothing would say so.

    Raises:
        SaltError: the days and the three before them hold pseudonyms of several salts.
    """
    read = Days(days.first - timedelta(days=LOOKBACK_DAYS), days.last)
    salts = {(ESP_EVENTS, day): salt for day, salt in _salts(lake, org, ESP_EVENTS, read).items()}
    salts |= {(CUSTOM_EVENTS, day): salt for day, salt in _salts(lake, org, CUSTOM_EVENTS, days).items()}
    found = set(salts.values())
    if len(found) < 2:
        return found.pop() if found else NO_SALT
    now = fingerprint(org)
    other = sorted((table.name, day) for (table, day), salt in salts.items() if salt != now)
    names = sorted({name for name, _ in other})
    said = "; ".join(f"{name} of {spans([day for one, day in other if one == name])}" for name in names)
    # From the first of them, or the rebuilt days would themselves look back on others.
    every = [
        day
        for table in (ESP_EVENTS, CUSTOM_EVENTS)
        for day, salt in _salts(lake, org, table, None).items()
        if salt != now
    ]
    raise SaltError(
        f"{org.slug}/{ATTRIBUTED_EVENTS.name}, {days}: {said} hold pseudonyms of another salt than the org's present "
        "one, so that their persons would match nobody; nothing was written",
        mend=f"put the old salt back, or rebuild what it made: justai backfill --org {org.slug} --from {min(every)} "
        f"--to {max(max(every), days.last)} --only-outdated (without a daemon: justai materialize, same days)",
    )


def _salts(lake: Lake, org: Org, table: Table, days: Days | None) -> dict[date, str]:
    stamps = BuiltDays.of(lake, org.slug, table).stamps
    return {
        day: one.salt
        for day, one in stamps.items()
        if one is not None and one.salt != NO_SALT and (days is None or day in days)
    }
