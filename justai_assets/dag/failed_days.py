"""Days that were left failed or unsound, and days that were never materialized, as the instance knows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from justai_assets.contract.days import Days
from justai_assets.dag.day_checks import blocking_checks
from justai_assets.dag.org_assets import table_keys
from justai_assets.dag.partitions import daily
from justai_assets.orgs.model import Org

_PLANNED, _FAILED = AssetCheckExecutionRecordStatus.PLANNED, AssetCheckExecutionRecordStatus.FAILED


@dataclass(frozen=True)
class TableDays:
    """Days of one table: which are left failed, and which were never materialized (nor are being)."""

    key: dg.AssetKey
    failed: tuple[date, ...]
    missing: tuple[date, ...]


def unfinished_days(instance: dg.DagsterInstance, org: Org, days: Days) -> list[TableDays]:
    """Per table of an org, the days of a range that are failed or missing; upstream tables first.

    A day that succeeded and then failed is failed: the table still holds what it held, which may be out of date. So is
    a day that was written and whose blocking check then failed or was not carried out: what is below waits for it. A
    day that is in progress is neither.
    """
    partitions = daily(org.start_date)
    names = [day.isoformat() for day in days if day >= org.start_date]
    found = []
    for key in table_keys(org):
        status = instance.get_status_by_partition(key, names, partitions) or {}
        unsound = _unsound_days(instance, org, key)
        failed = [
            name
            for name in names
            if status.get(name) == AssetPartitionStatus.FAILED
            or (status.get(name) == AssetPartitionStatus.MATERIALIZED and name in unsound)
        ]
        missing = [name for name in names if status.get(name) is None]
        found.append(TableDays(key, _dates(failed), _dates(missing)))
    return found


def _unsound_days(instance: dg.DagsterInstance, org: Org, key: dg.AssetKey) -> set[str]:
    """Days of which a blocking check has failed or was not carried out: its run died, or could not read the table."""
    # Dagster's own state of a check says the same, but builds sets of partitions: 0.5 ms a day and check.
    found = instance.event_log_storage.get_asset_check_partition_info(list(blocking_checks(org, key)))
    planned = {one.latest_planned_run_id for one in found if one.latest_execution_status == _PLANNED}
    died = set()
    if planned:
        failed = dg.RunsFilter(run_ids=sorted(planned), statuses=[dg.DagsterRunStatus.FAILURE])
        died = {run.run_id for run in instance.get_runs(failed)}
    return {
        one.partition_key
        for one in found
        if one.partition_key is not None
        and (
            (one.latest_execution_status == _FAILED and one.is_current)
            or (one.latest_execution_status == _PLANNED and one.latest_planned_run_id in died)
        )
    }


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
