"""Orgs and landed files with columns beyond the contract, for tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    QUARANTINE,
    Table,
)
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

DAY = date(2026, 1, 5)


AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def unified_org(world: World, columns: Any = None) -> None:
    drop = {"content": "unified_events", **({"extra_columns": columns} if columns is not None else {})}
    world.add_org(UNIFIED_ORG, sources={"databricks": drop})


def custom_org(world: World, columns: Any = None, **changes: Any) -> None:
    drop = {"content": "custom_events", **({"extra_columns": columns} if columns is not None else {})}
    sources = {**WEBHOOK_ORG["sources"], "redshift": drop}
    world.add_org(WEBHOOK_ORG, sources=sources, **changes)


def unified_rows(count: int = 4, **extra: Any) -> pl.DataFrame:
    rows = {
        "event_name": ["emailSend", "purchase"] * (count // 2),
        "event_timestamp": [AT + timedelta(minutes=at) for at in range(count)],
        "message_id": [f"m{at // 2}" for at in range(count)],
        "template_id": ["501"] * count,
        "campaign_id": ["9001"] * count,
    }
    return pl.DataFrame({**rows, **extra})


def purchases(people: list[str], **extra: Any) -> pl.DataFrame:
    rows = {
        "event_timestamp": [AT + timedelta(hours=1, seconds=at) for at in range(len(people))],
        "event_name": ["purchase"] * len(people),
        "user_id_or_email": people,
    }
    return pl.DataFrame({**rows, **extra})


def held(world: World, table: Table, org: str = "acme") -> pl.DataFrame:
    """Rows with the columns that the org file declares now."""
    return world.lake.scan(org, declared(world.orgs[org], table)).collect()


def fields(world: World, table: Table, org: str) -> list[str]:
    found = world.lake.open(org, table)
    assert found is not None
    return [one.name for one in found.schema().fields]


def refused(world: World, org: str) -> dict[str, int]:
    return dict(world.table(QUARANTINE, org).group_by("reason").agg(pl.col("records").sum()).iter_rows())


def remarks(world: World, org: str, table: Table) -> tuple[bool, str]:
    """Materialize a day through Dagster: whether it succeeded, and what it says of the day."""
    with dg.DagsterInstance.ephemeral() as instance:
        job = location(Orgs({org: world.orgs[org]}, {})).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            asset_selection=[dg.AssetKey([org, table.name])], tags=range_tags(Days(DAY, DAY)), instance=instance
        )
        (made,) = result.asset_materializations_for_node(f"{org}__{table.name}")
        return result.success, str(made.metadata["remarks"].value if "remarks" in made.metadata else "")
