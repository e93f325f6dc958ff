"""Which tables an org has."""

from __future__ import annotations

from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.orgs.model import Org


def org_tables(org: Org) -> tuple[Table, ...]:
    """The tables that are materialized for an org, upstream first."""
    if org.is_unified:
        mirror = (DELTA_SHARE,) if org.engagement == DELTA_SHARE.name else ()
        tables: tuple[Table, ...] = (*mirror, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    elif org.custom:
        tables = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    else:
        tables = (ESP_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    outcomes = (SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY) if org.templates else (MESSAGE_OUTCOMES,)
    return (*tables, *outcomes)
