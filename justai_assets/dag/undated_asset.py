"""Records without a usable date: they belong to no day, so one asset per org takes them all into quarantine."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from justai_assets.dag.metadata import day_metadata
from justai_assets.dag.org_keys import OWNER, group_of
from justai_assets.dag.resources import Platform
from justai_assets.dag.run_retries import verdicts
from justai_assets.landing.refiled_records import refile
from justai_assets.orgs.org_model import Org
from justai_assets.sources.intake_build import build_from_doors
from justai_assets.sources.lineage import landed_by_table
from justai_assets.storage import Root

NAME = "undated_records"


def refile_undated(org: Org, landing: Root) -> Iterator[tuple[str, date, int]]:
    """File undated records that have become dated under their day: (door, day, records), as each door is done."""
    for doors in landed_by_table(org).values():
        for door in doors:
            for day, records in sorted(refile(landing, org.slug, door, org.start_date).items()):
                yield door, day, records


def undated_asset(org: Org) -> dg.AssetsDefinition:
    """`[org, undated_records]`: every record under `__HIVE_DEFAULT_PARTITION__`, counted and named in quarantine."""

    @dg.asset(
        key=[org.slug, NAME],
        # Two doors may ask at once; both runs would replace the same quarantine.
        pool=f"{group_of(org.slug)}_{NAME}",
        group_name=group_of(org.slug),
        kinds={"polars", "deltalake"},
        tags={"org": org.slug},
        owners=[OWNER],
        description="Records filed without a usable event_date: all of them quarantined, none of them lost. Those "
        "that have become dated, because start_date was moved back, are filed under their day first.",
    )
    def undated_records(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        note = {"run_id": context.run.run_id, "org": org.slug}
        metadata: dict[str, Any] = {}
        with verdicts(context.retry_number):
            for door, day, records in refile_undated(org, platform.landing()):
                context.log.info(f"{door}: {records:,} records that were undated are filed under {day} now")
        for table, doors in landed_by_table(org).items():
            with verdicts(context.retry_number):
                (report,) = build_from_doors(org, platform.landing(), platform.lake(), table, doors, None, note=note)
            metadata |= {f"{table.name}: {key}": value for key, value in day_metadata(report).items() if "/" not in key}
        return dg.MaterializeResult(metadata=metadata)

    return undated_records
