"""Backfills asked for without the UI: the same request, stored in the instance, run by its daemon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.dag.failed_days import unfinished_days
from justai_assets.dag.location import location
from justai_assets.dag.org_assets import pools_of, table_keys
from justai_assets.dag.partitions import daily
from justai_assets.dag.pools import ensure_pools
from justai_assets.orgs.load import Orgs
from justai_assets.orgs.model import Org

Which = Literal["all", "failed", "missing"]


@dataclass(frozen=True)
class Plan:
    """What a backfill would materialize: days by table, upstream first; tables without a day are left out."""

    org: Org
    days_by_table: dict[dg.AssetKey, tuple[date, ...]]

    @property
    def count(self) -> int:
        """Days over all tables."""
        return sum(map(len, self.days_by_table.values()))


def plan_backfill(
    instance: dg.DagsterInstance, org: Org, days: Days, which: Which, names: Sequence[str] = (), *, today: date
) -> Plan:
    """Which days of which tables a backfill is for.

    Args:
        instance: knows which days failed or are missing.
        org: the org.
        days: inclusive; all must lie between the org's start and today.
        which: every day; those whose last attempt failed; those that were never materialized. The last two take the
            same days of the tables below with them, which were built without what failed.
        names: tables; all when none is named.
        today: the current day in UTC.

    Raises:
        JustAIError: a day that the org does not have, or a table that it does not have.
    """
    if days.first < org.start_date or days.last > today:
        raise JustAIError(
            f"{org.slug} has the days {org.start_date} … {today}, not {days}",
            mend="give days inside that range, or change start_date in the org file",
        )
    keys = table_keys(org)
    known = {key.path[-1] for key in keys}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise JustAIError(f"{org.slug} has no table {', '.join(unknown)}", mend=f"it has {', '.join(sorted(known))}")
    chosen = [key for key in keys if not names or key.path[-1] in names]
    if which == "all":
        return Plan(org, {key: tuple(days) for key in chosen})
    wanted: dict[dg.AssetKey, set[date]] = {key: set() for key in keys}
    graph = location(Orgs({org.slug: org}, {})).resolve_asset_graph()
    for table in unfinished_days(instance, org, days):
        found = table.failed if which == "failed" else table.missing
        if table.key in chosen and found:
            below = dg.AssetSelection.assets(table.key).downstream().resolve(graph)
            for key in below & wanted.keys():
                wanted[key].update(found)
    return Plan(org, {key: tuple(sorted(wanted[key])) for key in chosen if wanted[key]})


def request_backfill(instance: dg.DagsterInstance, plan: Plan, *, now: datetime) -> str:
    """Store the backfill; returns its id. The daemon launches it as ranged runs within half a minute.

    Tables whose days depend on earlier days of others (attributed_events) follow in a run of their own.
    """
    ensure_pools(instance, pools_of(plan.org))
    backfill_id = make_new_backfill_id()
    partitions = daily(plan.org.start_date)
    subset = AssetGraphSubset(  # type: ignore[call-arg]  # its serializer hides the named tuple's own fields
        non_partitioned_asset_keys=set(),
        partitions_subsets_by_asset_key={
            key: partitions.subset_with_partition_keys([day.isoformat() for day in days])
            for key, days in plan.days_by_table.items()
        },
    )
    instance.add_backfill(
        PartitionBackfill.from_asset_graph_subset(
            backfill_id=backfill_id,
            backfill_timestamp=now.timestamp(),
            tags={"org": plan.org.slug},
            dynamic_partitions_store=instance,
            asset_graph_subset=subset,
            title=f"{plan.org.slug}: {plan.count} days",
            description="Asked for by justai backfill.",
            run_config=None,
        )
    )
    return backfill_id


def is_daemon_heard(instance: dg.DagsterInstance, *, since: datetime) -> bool:
    """Whether the daemon that runs backfills has given a sign of life since a time. It gives one every 30 seconds."""
    heartbeat = instance.get_daemon_heartbeats().get("BACKFILL")
    return heartbeat is not None and heartbeat.timestamp >= since.timestamp()


def backfill_status(instance: dg.DagsterInstance, backfill_id: str) -> tuple[str, bool]:
    """The status of a backfill in the daemon's word, and whether it has ended."""
    found = instance.get_backfill(backfill_id)
    if found is None:
        raise JustAIError(f"there is no backfill {backfill_id}")
    return found.status.value, found.status in BULK_ACTION_TERMINAL_STATUSES
