"""Names of an org's tables in Dagster: asset keys, groups and pools."""

import dagster as dg

from justai_assets.contract.tables import Table
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import org_tables
from justai_assets.sources.registry import landing_of

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


def landing_key(slug: str, source: str) -> dg.AssetKey:
    """The key of what a source of an org has landed."""
    return dg.AssetKey([slug, landing_of(source).asset])


def table_keys(org: Org) -> tuple[dg.AssetKey, ...]:
    """The keys of an org's tables, upstream first."""
    return tuple(table_key(org.slug, table) for table in org_tables(org))
