"""Names of an org's tables in Dagster: asset keys, groups and pools."""

import dagster as dg

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
from justai_assets.landing.paths import PREFIXES
from justai_assets.orgs.model import Org

OWNER = "team:data-platform"


def group_of(slug: str) -> str:
    """The asset group of an org: Dagster allows no hyphen in it."""
    return slug.replace("-", "_")


def pool_of(slug: str, table: Table) -> str:
    """The pool that everything which writes a table shares, maintenance included."""
    return f"{group_of(slug)}_{table.name}"


def pools_of(org: Org) -> tuple[str, ...]:
    """The pools of an org's tables, in the order of `table_keys`."""
    return tuple(f"{group_of(org.slug)}_{key.path[-1]}" for key in table_keys(org))


def table_key(slug: str, table: Table) -> dg.AssetKey:
    """The key of an org's table."""
    return dg.AssetKey([slug, table.name])


def org_tables(org: Org) -> tuple[Table, ...]:
    """The tables that are materialized for an org, upstream first."""
    if org.is_unified:
        mirror = () if org.engagement in PREFIXES else (DELTA_SHARE,)
        tables: tuple[Table, ...] = (*mirror, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    elif org.custom:
        tables = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    else:
        tables = (ESP_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
    outcomes = (SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY) if org.templates else (MESSAGE_OUTCOMES,)
    return (*tables, *outcomes)


def table_keys(org: Org) -> tuple[dg.AssetKey, ...]:
    """The keys of an org's tables, upstream first."""
    return tuple(table_key(org.slug, table) for table in org_tables(org))
