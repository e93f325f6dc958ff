"""What the sources of an org land: observed by day, never materialized by us."""

import dagster as dg

from justai_assets.dag.org_keys import OWNER, group_of, landing_key
from justai_assets.dag.partitions import daily
from justai_assets.orgs.org_model import Org
from justai_assets.quality.punctuality import LATE_AFTER, SILENT_AFTER
from justai_assets.sources.registry import landing_of, source_named


def landing_asset(org: Org, source: str) -> dg.AssetSpec:
    """What a source has landed, day by day: observed, never materialized by us.

    Dagster marks a source late when no report arrives; whether files come in time is judged by a check (`late_doors`).
    """
    return dg.AssetSpec(
        landing_key(org.slug, source),
        partitions_def=daily(org.start_date),
        group_name=group_of(org.slug),
        kinds={landing_of(source).format, "s3"},
        tags={"org": org.slug, "door": source},
        owners=[OWNER],
        description=f"Objects that {source} of {org.slug} has landed, by event_date.",
        freshness_policy=in_time() if source_named(source).is_expected else None,
    )


def in_time() -> dg.FreshnessPolicy:
    """Of what comes from outside: late after a day, failed after two."""
    return dg.FreshnessPolicy.time_window(warn_window=LATE_AFTER, fail_window=SILENT_AFTER)
