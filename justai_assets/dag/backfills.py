"""Backfills asked for without the UI: the same request, stored in the instance, run by its daemon."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.utils import make_new_backfill_id

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.dag.failed_days_check import unfinished_days
from justai_assets.dag.location import location
from justai_assets.dag.org_keys import known_tables, pools_of, table_key
from justai_assets.dag.partitions import daily
from justai_assets.dag.pools import ensure_pools
from justai_assets.dag.resources import Platform
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.outdated_days import outdated_days
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_loader import Orgs
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import org_tables

Which = Literal["all", "failed", "missing", "outdated"]


@dataclass(frozen=True)
class Plan:
    """What a backfill would materialize: days by table, upstream first; tables without a day are left out.

    Attributes:
        org: the org.
        days_by_table: what is asked for.
        under_way: how many days of what was looked for an unfinished backfill still has before it, by its id.
    """

    org: Org
    days_by_table: dict[dg.AssetKey, tuple[date, ...]]
    under_way: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Days over all tables."""
        return sum(map(len, self.days_by_table.values()))


def plan_backfill(
    instance: dg.DagsterInstance,
    org: Org,
    days: Days,
    which: Which,
    names: Sequence[str] = (),
    *,
    today: date,
    lake: Lake | None = None,
) -> Plan:
    """Which days of which tables a backfill is for.

    Args:
        instance: knows which days failed or are missing.
        org: the org.
        days: inclusive; all must lie between the org's start and today.
        which: every day; those whose last attempt failed; those that were never materialized; those that were built
            by other code, another rule or another salt. All but the first take the same days of the tables below with
            them, which were built of what is built again, and leave out what an unfinished backfill still has before
            it.
        names: tables; all when none is named.
        today: the current day in UTC.
        lake: tells what is outdated; the lake of JUSTAI_LAKE when None.

    Raises:
        JustAIError: a day that the org does not have, or a table that it does not have.
    """
    known = known_tables(org, days, names, today=today)
    keys = tuple(known.values())
    chosen = [key for key in keys if not names or key.path[-1] in names]
    asked = _under_way(instance, chosen)
    if which == "all":
        every = {key: tuple(days) for key in chosen}
        return Plan(org, every, _count(asked, every))
    wanted: dict[dg.AssetKey, set[date]] = {key: set() for key in keys}
    graph = location(Orgs({org.slug: org}, {})).resolve_asset_graph()
    for table, found in _looked_for(instance, org, days, which, lake or Platform().lake()):
        if table in chosen and found:
            below = dg.AssetSelection.assets(table).downstream().resolve(graph)
            for key in below & wanted.keys():
                wanted[key].update(found)
    left = {key: tuple(sorted(wanted[key] - asked[key].keys())) for key in chosen}
    return Plan(org, {key: some for key, some in left.items() if some}, _count(asked, wanted))


def _looked_for(
    instance: dg.DagsterInstance, org: Org, days: Days, which: Which, lake: Lake
) -> Iterator[tuple[dg.AssetKey, Sequence[date]]]:
    """Per table the days that failed, are missing, or are outdated."""
    if which == "outdated":
        built = BuiltDays.of_tables(lake, org.slug, org_tables(org))
        for table in org_tables(org):
            found = outdated_days(org, lake, table, built=built[table.name])
            yield table_key(org.slug, table), [day for day in found if day in days]
        return
    for unfinished in unfinished_days(instance, org, days):
        yield unfinished.key, unfinished.failed if which == "failed" else unfinished.missing


def _under_way(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, dict[date, str]]:
    """Per table, the days that unfinished backfills still have before them, and the backfill's id."""
    found: dict[dg.AssetKey, dict[date, str]] = {key: {} for key in keys}
    unfinished = [one for one in BulkActionStatus if one not in BULK_ACTION_TERMINAL_STATUSES]
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=unfinished)):
        data = backfill.asset_backfill_data
        if data is None:
            continue
        left = data.target_subset - (data.materialized_subset | data.failed_and_downstream_subset)
        for key in keys:
            if key in left.partitions_subsets_by_asset_key:
                names = left.get_partitions_subset(key).get_partition_keys()
                found[key].update({date.fromisoformat(name): backfill.backfill_id for name in names})
    return found


def _count(
    asked: Mapping[dg.AssetKey, Mapping[date, str]], looked_for: Mapping[dg.AssetKey, Iterable[date]]
) -> dict[str, int]:
    return dict(Counter(asked[key][day] for key in asked for day in looked_for.get(key, ()) if day in asked[key]))


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
        raise JustAIError(f"there is no backfill {backfill_id}", code="unknown_backfill")
    return found.status.value, found.status in BULK_ACTION_TERMINAL_STATUSES
