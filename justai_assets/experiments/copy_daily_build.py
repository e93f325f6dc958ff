"""Days of copy_daily, replaced from message_outcomes, with what moved of closed cohorts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COPY_DAILY
from justai_assets.experiments.copy_daily import count_day
from justai_assets.experiments.restated_days import replace_days
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.storage import Root


def build_copy_daily(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
    now: datetime | None = None,
    landing: Root | None = None,
) -> list[DayReport]:
    """Replace send days of copy_daily, and record in cohort_restatements what moved; arguments as in `replace_days`."""
    return replace_days(
        org, lake, COPY_DAILY, days, lambda day: count_day(org, lake, day), what="closed cohort", note=note,
        on_day=on_day, now=now, landing=landing,
    )  # fmt: skip
