"""The engine against a workspace: what is submitted, what comes of it, and what a run that ends badly leaves behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from typing import Any

import dagster as dg
import polars as pl
import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, FATES, UNIFIED_EVENTS
from justai_assets.dag import retries
from justai_assets.dag.databricks import workspace as module
from justai_assets.lake.built import BuiltDays
from justai_assets.lake.ledger import read_fates
from justai_assets.lake.stamp import stamp_of
from justai_assets_tests.dag.databricks.stand_in import TOKEN, StandIn, workspace
from justai_assets_tests.dag.databricks.world import (
    CLUSTER,
    DAYS,
    POLARS_ORG,
    SPARK_ORG,
    TABLES,
    WHEEL,
    day_metadata,
    land,
    rows_and_fates,
    run,
    upstream,
)
from justai_assets_tests.world import World

VOLUME = "/Volumes/main/justai/pipes"
SERVERLESS = {"wheel": WHEEL, "volume": VOLUME}
FINE = ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS")
FAILED = ("TERMINATED", "FAILED", "CLIENT_ERROR", "RUN_EXECUTION_ERROR")
LOST = ("INTERNAL_ERROR", "FAILED", "CLOUD_FAILURE", "CLOUD_FAILURE")


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


def add_org(world: World, **databricks: Any) -> None:
    references = {"host": "env:ACME_DATABRICKS_HOST", "token": "env:ACME_DATABRICKS_TOKEN"}
    world.add_org(SPARK_ORG, databricks={**references, "wheel": WHEEL, **databricks})


def failure_of(result: dg.ExecuteInProcessResult) -> Any:
    (failed,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return failed


def test_a_job_cluster_gets_wheel_policy_range_and_gives_what_polars_gives(s3_world: World, place: StandIn) -> None:
    s3_world.add_org(POLARS_ORG)
    land(s3_world)
    upstream(s3_world)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(s3_world, instance).success
        wanted = {table.name: day_metadata(instance, table) for table in TABLES}
    expected = rows_and_fates(s3_world)
    assert expected["attributed_events"].height == 8

    add_org(s3_world, cluster=CLUSTER, timeout_minutes=30)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(s3_world, instance)
        assert result.success, failure_of(result)
        assert {table.name: day_metadata(instance, table) for table in TABLES} == wanted
        page = instance.get_latest_materialization_event(dg.AssetKey(["acme", "unified_events"]))
    assert page is not None and page.asset_materialization is not None
    assert page.asset_materialization.metadata["databricks run"].value == place.page(2)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    for name, frame in rows_and_fates(s3_world).items():
        assert frame.equals(expected[name]), name

    first, second = place.submitted
    assert first["run_name"] == f"justai acme attributed_events {DAYS}"
    assert first["timeout_seconds"] == 1800
    assert first["idempotency_token"] == f"{result.run_id}-attributed_events-0"
    (task,) = first["tasks"]
    assert task["libraries"] == [{"whl": WHEEL}]
    assert task["python_wheel_task"] == {
        "package_name": "justai_assets", "entry_point": "justai-spark-job", "parameters": ["--through", "dbfs"]
    }  # fmt: skip
    cluster = dict(task["new_cluster"])
    assert cluster.pop("spark_env_vars").keys() == {"DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES"}
    assert cluster == CLUSTER
    assert second["tasks"][0]["task_key"] == "unified_events"
    attributed, unified = place.tasks
    assert (attributed.lo, attributed.hi) == (DAYS.first, DAYS.last)
    assert attributed.sources.keys() == {"esp_events", "custom_events"}
    for table in (ESP_EVENTS, CUSTOM_EVENTS):
        opened = s3_world.lake.open("acme", table)
        assert opened is not None
        assert attributed.sources[table.name].version == opened.version() > 0
    assert attributed.target.delta == s3_world.lake.uri("acme", ATTRIBUTED_EVENTS)
    assert (attributed.window_hours, attributed.windows) == (24, {"signup": 72})
    stamp = stamp_of(s3_world.orgs["acme"], ATTRIBUTED_EVENTS)
    assert attributed.note == {"run_id": result.run_id, "org": "acme", **stamp.note}
    assert attributed.settings == {}
    assert unified.target.delta == s3_world.lake.uri("acme", UNIFIED_EVENTS)
    assert unified.scratch.startswith(f"{s3_world.lake.root.url}/acme/_scratch/")
    assert unified.scratch != attributed.scratch
    assert not place.files, "context and messages are removed"
    assert TOKEN not in str(place.submitted)


def test_serverless_gets_an_environment_with_the_wheel_and_speaks_through_the_volume(
    s3_world: World, place: StandIn
) -> None:
    add_org(s3_world, volume=VOLUME)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(s3_world, instance).success
    (task,) = place.submitted[0]["tasks"]
    assert task["environment_key"] == "justai"
    assert not {"libraries", "new_cluster", "existing_cluster_id"} & task.keys()
    assert place.submitted[0]["environments"] == [
        {"environment_key": "justai", "spec": {"environment_version": "4", "dependencies": [WHEEL]}}
    ]
    words = task["python_wheel_task"]["parameters"]
    assert words[:2] == ["--through", "volumes"]
    assert words[2::2] == ["--dagster-pipes-context", "--dagster-pipes-messages"]
    assert any(one.startswith(f"PUT /api/2.0/fs/files{VOLUME}/tmp/") for one in place.requests)
    assert not any("dbfs" in one for one in place.requests)


def test_an_existing_cluster_is_used_as_it_is(s3_world: World, place: StandIn) -> None:
    add_org(s3_world, existing_cluster_id="0101-120000-abc")
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(s3_world, instance).success
    (task,) = place.submitted[0]["tasks"]
    assert task["existing_cluster_id"] == "0101-120000-abc"
    assert "--dagster-pipes-context" in task["python_wheel_task"]["parameters"]


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (FAILED, "ended as FAILED (RUN_EXECUTION_ERROR)"),
        (("TERMINATED", "CANCELED", "CLIENT_ERROR", "USER_CANCELED"), "ended as CANCELED (USER_CANCELED)"),
        (("TERMINATED", "TIMEDOUT", "CLIENT_ERROR", "CANCELED"), "ended as TIMEDOUT (CANCELED)"),
        (("SKIPPED", None, "CLIENT_ERROR", "SKIPPED"), "ended as SKIPPED"),
    ],
)
def test_a_run_that_ends_badly_fails_the_asset_with_its_page_and_is_not_tried_again(
    s3_world: World, place: StandIn, ended: tuple[str, str | None, str, str], said: str
) -> None:
    add_org(s3_world, cluster=CLUSTER)
    place.results = [ended]
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(s3_world, instance)
        assert not result.success
        assert instance.get_latest_materialization_event(dg.AssetKey(["acme", "attributed_events"])) is None
    failed = failure_of(result).user_failure_data
    assert failed.metadata["run"] == dg.MetadataValue.url(place.page(1))
    assert failed.metadata["code"].value == "spark_job"
    assert said in failed.description and place.page(1) in failed.description
    assert "jane" not in str(failed.description), "the run's own message may quote a record"
    assert len(place.submitted) == 1
    assert s3_world.table(FATES).filter(pl.col("asset") == "attributed_events").is_empty()


def test_a_lost_cluster_is_tried_again_and_what_it_wrote_before_is_not_doubled(s3_world: World, place: StandIn) -> None:
    add_org(s3_world, cluster=CLUSTER)
    land(s3_world)
    upstream(s3_world)
    place.results = [LOST, LOST]  # each after its rows were written
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(s3_world, instance)
        assert result.success
    tokens = [one["idempotency_token"].rpartition("-")[2] for one in place.submitted]
    assert tokens == ["0", "1", "2", "0"]
    assert len({task.scratch for task in place.tasks}) == 4
    assert s3_world.table(ATTRIBUTED_EVENTS).height == 8
    fates = s3_world.table(FATES).filter(pl.col("asset") == "attributed_events", pl.col("fate") == "accepted")
    assert fates["records"].sum() == 8


def test_days_that_a_job_is_at_or_has_failed_at_are_not_built_until_one_ends_well(
    s3_world: World, place: StandIn
) -> None:
    add_org(s3_world, cluster=CLUSTER)
    land(s3_world)
    upstream(s3_world)
    org, only = s3_world.orgs["acme"], (ATTRIBUTED_EVENTS,)

    def built() -> BuiltDays:
        return BuiltDays.of(s3_world.lake, "acme", ATTRIBUTED_EVENTS)

    meanwhile: list[BuiltDays] = []
    place.when_submitted = lambda: meanwhile.append(built())
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(s3_world, instance, tables=only).success
        assert built().at.keys() == set(DAYS)
        place.results = [FINE, FAILED]  # after its rows were written
        assert not run(s3_world, instance, tables=only).success
        after = built()
        assert not read_fates(s3_world.lake, "acme", DAYS, ATTRIBUTED_EVENTS.name).height
        assert run(s3_world, instance, tables=only).success
    assert meanwhile and all((one.at, one.torn) == ({}, set(DAYS)) for one in meanwhile)
    assert (after.at, after.torn) == ({}, set(DAYS))
    assert built().torn == frozenset()
    assert set(built().stamps.values()) == {stamp_of(org, ATTRIBUTED_EVENTS)}
    assert s3_world.table(ATTRIBUTED_EVENTS).height == 8


def test_a_job_that_reports_nothing_fails_however_well_it_ended(
    s3_world: World, place: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "RETRIES", 0)
    add_org(s3_world, cluster=CLUSTER)
    place.is_silent = True
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(s3_world, instance)
    assert not result.success
    assert "reported nothing of 3 of 3 days" in str(failure_of(result).error)


def test_an_interrupted_asset_cancels_its_run_and_does_not_go_on(s3_world: World, place: StandIn) -> None:
    add_org(s3_world, cluster=CLUSTER)
    place.results = [("RUNNING", None, "", "")] * 9
    looks = count(1)
    # The third look comes from the loop that waits, not from the line that logs the page.
    place.when_looked_at = lambda: os.kill(os.getpid(), signal.SIGINT) if next(looks) == 3 else None
    with dg.DagsterInstance.ephemeral() as instance:
        failed = failure_of(run(s3_world, instance))
        assert instance.get_latest_materialization_event(dg.AssetKey(["acme", "attributed_events"])) is None
    assert failed.error.cls_name == "DagsterExecutionInterruptedError"
    assert place.cancelled == [1]
    assert len(place.submitted) == 1
    assert s3_world.table(FATES).filter(pl.col("asset") == "attributed_events").is_empty()


@pytest.mark.slow
@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_workspace_that_falls_silent_has_its_run_cancelled_before_another_is_tried(
    s3_world: World, place: StandIn, monkeypatch: pytest.MonkeyPatch, is_deaf: bool
) -> None:
    from databricks.sdk import WorkspaceClient

    def impatient(_: Any) -> Any:
        # Two seconds, where the SDK waits five minutes, before it gives up with a TimeoutError.
        from databricks.sdk.core import Config

        return WorkspaceClient(config=Config(host=place.url, token=TOKEN, retry_timeout_seconds=2))

    def falls_silent() -> None:
        if len(place.submitted) == 1:
            place.is_away, place.is_deaf = True, is_deaf

    monkeypatch.setattr(module, "workspace_of", impatient)
    add_org(s3_world, cluster=CLUSTER)
    place.results = [("RUNNING", None, "", "")]
    place.when_looked_at = falls_silent

    monkeypatch.setattr(retries, "RETRIES", 1)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(s3_world, instance)
    assert place.cancelled == ([] if is_deaf else [1])
    if is_deaf:
        said = failure_of(result).user_failure_data.description
        assert "TimeoutError, and run 1 could not be cancelled" in said
        assert "cancel run 1 in the workspace" in said
        assert len(place.submitted) == 1
    else:
        assert result.success
        tokens = [one["idempotency_token"].rpartition("-")[2] for one in place.submitted]
        assert tokens == ["0", "1", "0"], "a second attempt, once the first run has ended"


def test_a_refused_credential_and_an_unknown_cluster_key_fail_at_once_with_their_mend(
    s3_world: World, place: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_org(s3_world, cluster={**CLUSTER, "num_worker": 2})
    with dg.DagsterInstance.ephemeral() as instance:
        said = failure_of(run(s3_world, instance)).user_failure_data
    assert "databricks.cluster: num_worker is not understood" in said.description
    add_org(s3_world, cluster=CLUSTER)
    monkeypatch.setenv("ACME_DATABRICKS_TOKEN", "another")
    with dg.DagsterInstance.ephemeral() as instance:
        said = failure_of(run(s3_world, instance)).user_failure_data
    assert "PermissionDenied" in said.description
    assert "another" not in said.description
    assert not place.submitted


def test_a_lake_on_this_disk_is_refused_with_the_two_ways_out(world: World) -> None:
    world.add_org(SPARK_ORG)
    with dg.DagsterInstance.ephemeral() as instance:
        said = failure_of(run(world, instance)).user_failure_data
    assert "set JUSTAI_LAKE to an s3:// URL, or JUSTAI_DATABRICKS=local" in said.description
