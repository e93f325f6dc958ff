"""How many custom events found their message, over the last built days."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.reasons import NO_IDENTITY, NO_SEND, OUTSIDE_WINDOW
from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding, Level

DAYS = 7
MOST = 0.5
_MENDS = {
    NO_IDENTITY: "send an email or a user id with each custom event",
    NO_SEND: "see that sends arrive, and that sends and custom events name people alike (by email, or by user id)",
    OUTSIDE_WINDOW: "widen attribution.window_hours or windows.<event name>, up to 72",
}


def examine_attributed(lake: Lake, org: Org, now: datetime) -> list[Finding]:
    """The unattributed share of the last seven days and its main reason; empty for an org that attributes nothing."""
    if org.is_unified or not org.custom:
        return []
    today = now.date()
    days = Days(today - timedelta(days=DAYS - 1), today)
    rows = lake.scan(org.slug, ATTRIBUTED_EVENTS, days).group_by("reason").agg(pl.len()).collect()
    by_reason: dict[str | None, int] = dict(rows.iter_rows())
    total = sum(by_reason.values())
    if not total:
        said = f"no custom event of {days} is built"
        mend = f"justai materialize --org {org.slug} --from {max(days.first, min(org.start_date, today))} --to {today}"
        return [Finding(org.slug, "attributed", "warning", said, mend)]
    attributed = by_reason.pop(None, 0)
    shown = "".join(f", {reason} {count:,}" for reason, count in sorted(by_reason.items(), key=lambda one: str(one[0])))
    message = f"{attributed:,} of {total:,} custom events ({attributed / total:.1%}) have a message{shown}"
    if attributed >= MOST * total:
        return [Finding(org.slug, "attributed", "ok", message)]
    main = max(by_reason, key=lambda reason: by_reason[reason])
    level: Level = "problem" if attributed == 0 else "warning"
    return [Finding(org.slug, "attributed", level, message, _MENDS[str(main)])]
