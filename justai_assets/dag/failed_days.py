"""Days that were left failed, and days that were never materialized, as the instance knows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from justai_assets.contract.days import Days
from justai_assets.dag.org_assets import table_keys
from justai_assets.dag.partitions import daily
from justai_assets.orgs.model import Org


@dataclass(frozen=True)
class TableDays:
    """Days of one table: whose last attempt failed, and which were never materialized (nor are being)."""

    key: dg.AssetKey
    failed: tuple[date, ...]
    missing: tuple[date, ...]


def unfinished_days(instance: dg.DagsterInstance, org: Org, days: Days) -> list[TableDays]:
    """Per table of an org, the days of a range that are failed or missing; upstream tables first.

    A day that succeeded and then failed is failed: the table still holds what it held, which may be out of date. A day
    that is in progress is neither.
    """
    partitions = daily(org.start_date)
    names = [day.isoformat() for day in days if day >= org.start_date]
    found = []
    for key in table_keys(org):
        status = instance.get_status_by_partition(key, names, partitions) or {}
        failed = [name for name in names if status.get(name) == AssetPartitionStatus.FAILED]
        missing = [name for name in names if status.get(name) is None]
        found.append(TableDays(key, _dates(failed), _dates(missing)))
    return found


def failed_by_org(orgs: Iterable[Org], *, today: date) -> dict[str, dict[str, tuple[date, ...]]]:
    """Slug → table → failed days from the org's start to today, in the instance of DAGSTER_HOME."""
    with dg.DagsterInstance.get() as instance:
        return {
            org.slug: {
                str(table.key.path[-1]): table.failed
                for table in unfinished_days(instance, org, Days(org.start_date, today))
            }
            for org in orgs
            if org.start_date <= today
        }


def _dates(names: Iterable[str]) -> tuple[date, ...]:
    return tuple(date.fromisoformat(name) for name in names)
