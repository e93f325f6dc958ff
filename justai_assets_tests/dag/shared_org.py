"""An org that mirrors a share of the real server, in Dagster."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.dag.checks import table_checks
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.resources import Platform
from justai_assets.dag.share_assets import contract_check, credential_check, share_assets
from justai_assets.dag.share_version_sensor import mirror_job, recheck_schedule, versions_sensor
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.storage import Root
from justai_assets.testing.share_server import ShareServer

ORG = """
slug: acme
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: delta_share
sources:
  delta_share: {{profile: "file:{profile}", table: {table}}}
"""


@dataclass
class Shared:
    folder: Path
    server: ShareServer
    org: Org
    instance: dg.DagsterInstance

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def platform(self) -> Platform:
        return Platform(landing_url=str(self.folder / "landing"), lake_url=str(self.folder / "lake"))

    @property
    def lake(self) -> Lake:
        return Lake(Root.parse(str(self.folder / "lake")))

    @property
    def definitions(self) -> dg.Definitions:
        job = mirror_job([self.org])
        return dg.Definitions(
            assets=share_assets(self.org),
            asset_checks=[*table_checks(self.org), credential_check(self.org), contract_check(self.org)],
            jobs=[job],
            sensors=[versions_sensor([self.org], job)],
            schedules=[recheck_schedule([self.org], job)],
            resources={"platform": self.platform},
            executor=dg.in_process_executor,
        )

    def mirror(self, **config: Any) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {"mirror_days": {"config": {"org": "acme", **config}}}}
        job = self.definitions.resolve_job_def("mirror_share")
        return job.execute_in_process(run_config=run_config, instance=self.instance)

    def tick(self, cursor: str | None = None) -> dg.SensorResult:
        job = mirror_job([self.org])
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor)
        result = versions_sensor([self.org], job)(context, platform=self.platform)
        assert isinstance(result, dg.SensorResult)
        return result

    def mirrored(self) -> set[date]:
        return set(self.lake.scan("acme", DELTA_SHARE).collect()["event_date"])


def days_of(result: dg.ExecuteInProcessResult) -> list[str | None]:
    events_ = [event for event in result.all_events if event.is_step_materialization]
    return [event.partition for event in events_ if event.asset_key == table_key("acme", DELTA_SHARE)]
