"""The engine against a workspace: what is submitted, what comes of it, and what a run that ends badly leaves behind."""

from __future__ import annotations

import dagster as dg
import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.lake.stamp import stamp_of
from justai_assets_tests.dag.databricks.stand_in import TOKEN, StandIn
from justai_assets_tests.dag.databricks.workspaces import VOLUME, add_org, failure_of
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
