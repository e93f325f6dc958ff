"""The queue on a real instance, as deploy/dagster.yaml configures it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceRequestContext
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from justai_assets.dag.marts_assets import GROUP
from justai_assets.dag.run_queue import OrgRunQueue

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("justai_assets.definitions"), "__repository__"), "__ASSET_JOB"
)
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    server = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text())
    mine = {key: server[key] for key in ("run_coordinator", "concurrency", "telemetry")}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=mine) as found:
        yield found


def queue(instance: dg.DagsterInstance, *keys: str, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    selection = frozenset(dg.AssetKey(key.split("/")) for key in keys)
    run = create_run_for_test(
        instance,
        job_name="__ASSET_JOB",
        asset_selection=selection,
        tags=tags,
        status=DagsterRunStatus.NOT_STARTED,
        remote_job_origin=ORIGIN,
    )
    context = SubmitRunContext(run, workspace=WorkspaceRequestContext.__new__(WorkspaceRequestContext))
    return instance.run_coordinator.submit_run(context)


def test_the_server_queues_runs_with_their_org(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_coordinator, OrgRunQueue)
    run = queue(instance, "acme/esp_events", "acme/custom_events", tags={"dagster/from_automation_condition": "true"})
    assert run.status == DagsterRunStatus.QUEUED
    assert run.tags.items() >= {"dagster/from_automation_condition": "true", "org": "acme"}.items()
    assert [one.run_id for one in instance.get_runs(dg.RunsFilter(tags={"org": "acme"}))] == [run.run_id]


@pytest.mark.parametrize(
    "keys",
    [("acme/esp_events", "globex/unified_events"), (f"{GROUP}/funnel",), ("org_files",), ("acme/report", "org_files")],
)
def test_a_run_of_several_orgs_or_of_none_carries_none(instance: dg.DagsterInstance, keys: tuple[str, ...]) -> None:
    assert "org" not in queue(instance, *keys).tags


def test_a_tag_that_is_there_stays(instance: dg.DagsterInstance) -> None:
    assert queue(instance, "acme/esp_events", tags={"org": "globex"}).tags["org"] == "globex"


def test_no_org_holds_more_than_two_places_whoever_started_its_runs(instance: dg.DagsterInstance) -> None:
    runs = [queue(instance, "acme/esp_events") for _ in range(4)] + [queue(instance, "globex/unified_events")]
    config = instance.get_concurrency_config()
    assert config.run_queue_config is not None
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=5)
    chosen = daemon._get_runs_to_dequeue(instance, config, fixed_iteration_time=None)
    by_id = {run.run_id: run.tags["org"] for run in runs}
    assert sorted(by_id[run.run_id] for run in chosen) == ["acme", "acme", "globex"]


def test_the_queue_brings_nothing_heavy_into_the_daemon() -> None:
    program = "import sys, justai_assets.dag.run_queue; print([one for one in ('polars', 'deltalake', 'boto3') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
