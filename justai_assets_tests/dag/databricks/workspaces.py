"""An org whose engine is a workspace, for tests."""

from __future__ import annotations

from typing import Any

import dagster as dg

from justai_assets_tests.dag.databricks.world import (
    SPARK_ORG,
    WHEEL,
)
from justai_assets_tests.world import World

VOLUME = "/Volumes/main/justai/pipes"
SERVERLESS = {"wheel": WHEEL, "volume": VOLUME}
FINE = ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS")
FAILED = ("TERMINATED", "FAILED", "CLIENT_ERROR", "RUN_EXECUTION_ERROR")
LOST = ("INTERNAL_ERROR", "FAILED", "CLOUD_FAILURE", "CLOUD_FAILURE")


def add_org(world: World, **databricks: Any) -> None:
    references = {"host": "env:ACME_DATABRICKS_HOST", "token": "env:ACME_DATABRICKS_TOKEN"}
    world.add_org(SPARK_ORG, databricks={**references, "wheel": WHEEL, **databricks})


def failure_of(result: dg.ExecuteInProcessResult) -> Any:
    (failed,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return failed
