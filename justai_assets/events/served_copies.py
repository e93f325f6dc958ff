"""Which copy each message of a send day carried, from the calls of Generate."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import SERVED_COPIES
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org


def copies_of_sends(org: Org, lake: Lake, day: date) -> pl.LazyFrame:
    """message_id and copy_id for the messages sent on a day (UTC), each message once.

    Generate is called while a message is rendered, just before it is sent: the calls of the day and of the day before
    are read. Proofs and retries call it too; of several calls for a message the last one counts (ties: the greatest
    copy_id).
    """
    calls = lake.scan(org.slug, SERVED_COPIES, Days(day - timedelta(days=1), day))
    ordered = calls.sort("event_timestamp", "copy_id")
    return ordered.unique("message_id", keep="last", maintain_order=True).select("message_id", "copy_id")
