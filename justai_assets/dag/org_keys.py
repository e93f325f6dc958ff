"""Names of an org's tables in Dagster: asset keys, groups and pools."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
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


def known_tables(org: Org, days: Days, names: Sequence[str], *, today: date) -> dict[str, dg.AssetKey]:
    """The tables of an org with their keys, upstream first, if what somebody asks for exists.

    Raises:
        JustAIError: a day outside the org's start … today, or a table that the org does not have.
    """
    if days.first < org.start_date or days.last > today:
        raise JustAIError(
            f"{org.slug} has the days {org.start_date} … {today}, not {days}",
            code="days_outside_org",
            mend="give days inside that range, or change start_date in the org file",
        )
    known = {key.path[-1]: key for key in table_keys(org)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise JustAIError(
            f"{org.slug} has no table {', '.join(unknown)}", code="unknown_table", mend=f"it has {', '.join(known)}"
        )
    return known


def table_keys(org: Org) -> tuple[dg.AssetKey, ...]:
    """The keys of an org's tables, upstream first."""
    return tuple(table_key(org.slug, table) for table in org_tables(org))
