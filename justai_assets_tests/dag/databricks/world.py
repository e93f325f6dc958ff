"""An org of the Databricks engine beside its twin on Polars: the same landed days, the same salt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, FATES, UNIFIED_EVENTS, Table
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

FIRST, LAST = date(2026, 1, 5), date(2026, 1, 7)
DAYS = Days(FIRST, LAST)
WHEEL = "/Volumes/main/justai/code/justai_assets-0.1.0-py3-none-any.whl"
CLUSTER = {"spark_version": "16.4.x-scala2.12", "num_workers": 2, "policy_id": "ABC123"}
POLARS_ORG: dict[str, Any] = {**WEBHOOK_ORG, "attribution": {"window_hours": 24, "windows": {"signup": 72}}}
SPARK_ORG: dict[str, Any] = {**POLARS_ORG, "engine": "databricks", "databricks": {"wheel": WHEEL, "cluster": CLUSTER}}
"""The same slug as its twin: both cannot be in one world at once, but their keys and pseudonyms are equal."""

TABLES = (ATTRIBUTED_EVENTS, UNIFIED_EVENTS)


def land(world: World) -> None:
    """Three days with a link between two keys, a chain of links, ties, an old send, a stranger, and a day without."""
    ids = {"templateId": 501, "campaignId": 9001}
    world.land(
        "iterable_webhooks",
        "acme",
        FIRST,
        [
            esp("emailSend", "2026-01-05 10:00:00", "a@example.com", user_id="u-a", messageId="m1", **ids),
            esp("emailSend", "2026-01-05 10:00:00", "a@example.com", messageId="m2", **ids),
            esp("emailOpen", "2026-01-05 10:05:00", "b@example.com", user_id="u-a", messageId="m1", **ids),
            esp("emailSend", "2026-01-05 09:00:00", "c@example.com", messageId="m3", **ids),
        ],
    )
    world.land(
        "iterable_webhooks",
        "acme",
        LAST,
        [esp("emailSend", "2026-01-07 23:59:59", "a@example.com", messageId="m4", **ids)],
    )
    world.land(
        "journey_webhooks",
        "acme",
        FIRST,
        [
            journey("2026-01-05 10:00:00", "b@example.com"),
            journey("2026-01-05 11:00:00", "c@example.com"),
            journey("2026-01-05 11:30:00", "stranger@example.com"),
            journey("2026-01-05 08:00:00", "c@example.com"),
        ],
    )
    world.land("journey_webhooks", "acme", LAST, [journey("2026-01-07 11:00:00", "c@example.com")])
    schema = {"event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String}
    moment = pl.datetime(2026, 1, 7, 9, time_zone="UTC", time_unit="us")
    rows = pl.DataFrame({"event_name": ["signup", "signup", "signup"], "user_id_or_email": ["u-a", "u-a", None]})
    world.drop("redshift", "acme", LAST, rows.select(moment.alias("event_timestamp"), "*").cast(schema))


def upstream(world: World) -> None:
    """esp_events and custom_events of the days."""
    assert world.materialize(str(FIRST), str(LAST), "esp_events", "custom_events")


def run(
    world: World, instance: dg.DagsterInstance, days: Days = DAYS, tables: Sequence[Table] = TABLES
) -> dg.ExecuteInProcessResult:
    """The tables of the days in one ranged run; a failure is in the result."""
    job = location(Orgs(dict(world.orgs), {})).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(["acme", table.name]) for table in tables],
        tags={"org": "acme", **range_tags(days)},
        raise_on_error=False,
    )


def rows_and_fates(world: World) -> dict[str, pl.DataFrame]:
    """Both tables, and what the ledger says of them."""
    found = {table.name: world.table(table) for table in TABLES}
    fates = world.table(FATES)
    return {**found, "fates": fates.filter(pl.col("asset").is_in([table.name for table in TABLES]))}


def day_metadata(instance: dg.DagsterInstance, table: Table) -> dict[str, dict[str, Any]]:
    """Partition → what its latest materialization says, bytes apart."""
    said: dict[str, dict[str, Any]] = {}
    records = instance.fetch_materializations(dg.AssetKey(["acme", table.name]), limit=100).records
    for record in reversed(records):
        found = record.asset_materialization
        assert found is not None
        varying = {"bytes", "bytes written", "delta version", "databricks run", "dagster/uri", "sample"}
        said[str(found.partition)] = {k: v.value for k, v in found.metadata.items() if k not in varying}
    return said
