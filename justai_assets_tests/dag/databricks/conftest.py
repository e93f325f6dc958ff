from __future__ import annotations

from collections.abc import Iterator

import pytest

from justai_assets.dag.databricks import workspace as module
from justai_assets_tests.dag.databricks.stand_in import TOKEN, StandIn, workspace
from justai_assets_tests.world import World


@pytest.fixture
def place(s3_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name, value in (("POLL_SECONDS", 0.05), ("READ_SECONDS", 0.05)):
        monkeypatch.setattr(module, name, value)
    # Pipes looks once a second for what is written at once here, and ten more when nothing was.
    for name, value in (("DEFAULT_SLEEP_INTERVAL", 0.05), ("WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 1)):
        monkeypatch.setattr(f"dagster._core.pipes.utils.{name}", value)
    monkeypatch.delenv("JUSTAI_DATABRICKS", raising=False)
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with workspace(s3_world.lake.root.options) as found:
        monkeypatch.setenv("ACME_DATABRICKS_HOST", found.url)
        monkeypatch.setenv("ACME_DATABRICKS_TOKEN", TOKEN)
        yield found
