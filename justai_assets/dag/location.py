"""The code location, put together from org files."""

import hashlib
import os
import re
from collections.abc import Mapping

import dagster as dg

from justai_assets.dag.alert_sensors import alert_sensors
from justai_assets.dag.checks import table_checks
from justai_assets.dag.daily_schedule import daily_refresh
from justai_assets.dag.lateness_checks import doors_schedules, landing_checks, share_check
from justai_assets.dag.lost_runs import lost_runs_sensor
from justai_assets.dag.maintenance import maintain_org, maintenance_schedule
from justai_assets.dag.notification_sensor import hint_sensor
from justai_assets.dag.org_assets import org_assets
from justai_assets.dag.org_automation import automation_sensor
from justai_assets.dag.org_files import broken_org_spec, org_files_asset
from justai_assets.dag.record_purge import purge_records, purge_schedule
from justai_assets.dag.resources import Platform
from justai_assets.dag.result_assets import results_assets
from justai_assets.dag.share_assets import contract_check, credential_check, share_assets
from justai_assets.dag.share_version_sensor import mirror_job, recheck_schedule, versions_sensor
from justai_assets.dag.source_sensor import door_sensors
from justai_assets.dag.standing_check import failed_days_check, standing_schedule
from justai_assets.dag.undated_asset import undated_asset
from justai_assets.orgs.org_loader import Orgs
from justai_assets.sources.lineage import is_mirrored


def location(
    orgs: Orgs, platform: Platform | None = None, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """Everything Dagster sees: assets and checks per org, one schedule, the sensors of doors and automation.

    Sensors and schedules loop over orgs; there is no job, sensor or schedule per org. Runs execute in process: a
    ranged run is one step per table, and a process per step costs more than most steps.
    """
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [org_files_asset()]
    served = list(orgs.by_slug.values())
    checks: list[dg.AssetChecksDefinition] = [failed_days_check(served)]
    for org in served:
        assets += [*org_assets(org), undated_asset(org), results_assets(org)]
        checks += table_checks(org)
    assets += [broken_org_spec(_asset_name(stem), error) for stem, error in orgs.broken.items()]
    jobs: list[dg.JobDefinition] = [maintain_org, purge_records]
    sharing = [org for org in served if is_mirrored(org)]
    punctual = [*landing_checks(served), *(share_check(org) for org in sharing)]
    checks += punctual
    schedules: list[dg.ScheduleDefinition] = [
        *doors_schedules(punctual),
        daily_refresh(served),
        maintenance_schedule(served),
        purge_schedule(),
        standing_schedule(),
    ]
    sensors: list[dg.SensorDefinition] = [
        automation_sensor(),
        *door_sensors(served),
        *alert_sensors(),
        lost_runs_sensor(),
    ]
    if os.environ.get("JUSTAI_LANDING_QUEUE"):
        sensors.append(hint_sensor())
    if sharing:
        mirror = mirror_job(sharing)
        assets += [asset for org in sharing for asset in share_assets(org)]
        checks += [check(org) for org in sharing for check in (credential_check, contract_check)]
        jobs.append(mirror)
        schedules.append(recheck_schedule(sharing, mirror))
        sensors.append(versions_sensor(sharing, mirror))
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources={"platform": platform or Platform()},
        executor=dg.in_process_executor,
        loggers=loggers,
    )


def _asset_name(stem: str) -> str:
    """A file's stem as a part of an asset key; two stems never come to the same one, or nothing would load."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", stem)
    return name if name == stem else f"{name}_{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
