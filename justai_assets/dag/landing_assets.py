"""What the doors of an org land: observed by day, never materialized by us."""

import dagster as dg

from justai_assets.dag.org_keys import OWNER, group_of
from justai_assets.dag.partitions import daily
from justai_assets.orgs.model import Org
from justai_assets.quality.punctuality import LATE_AFTER, SILENT_AFTER

LANDING_NAMES = {
    "iterable_webhooks": "iterable_webhooks",
    "journey_webhooks": "journey_webhooks",
    "chameleon_webhooks": "chameleon_webhooks",
    "redshift": "redshift_drop",
    "databricks": "databricks_drop",
    "generate": "generate_records",
}
"""Source → the last part of its landing asset's key."""

GENERATE = "generate"


def landing_sources(org: Org) -> tuple[str, ...]:
    """The sources of an org whose objects lie in the landing zone. Templates are served by Generate."""
    found = tuple(source for source in org.sources.present() if source in LANDING_NAMES)
    return (*found, GENERATE) if org.templates else found


def landing_asset(org: Org, door: str) -> dg.AssetSpec:
    """What a door has landed, day by day: observed, never materialized by us.

    A door of which nothing is reported shows as late; whether files come in time is judged by a check (`late_doors`).
    """
    return dg.AssetSpec(
        dg.AssetKey([org.slug, LANDING_NAMES[door]]),
        partitions_def=daily(org.start_date),
        group_name=group_of(org.slug),
        kinds={"parquet" if door in {"redshift", "databricks"} else "json", "s3"},
        tags={"org": org.slug, "door": door},
        owners=[OWNER],
        description=f"Objects that {door} of {org.slug} has landed, by event_date.",
        # Nobody has to call Generate: that nothing comes from it is no lateness.
        freshness_policy=None if door == GENERATE else in_time(),
    )


def in_time() -> dg.FreshnessPolicy:
    """Of what comes from outside: late after a day, failed after two."""
    return dg.FreshnessPolicy.time_window(warn_window=LATE_AFTER, fail_window=SILENT_AFTER)
