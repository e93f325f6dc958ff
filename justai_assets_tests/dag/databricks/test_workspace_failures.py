"""A workspace whose runs fail, fall silent or report nothing: what is tried again, and what is told."""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Any

import dagster as dg
import polars as pl
import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, FATES
from justai_assets.dag import run_retries as retries
from justai_assets.dag.databricks import workspace as module
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.ledger import read_fates
from justai_assets.lake.stamp import stamp_of
from justai_assets_tests.dag.databricks.stand_in import TOKEN, StandIn
from justai_assets_tests.dag.databricks.workspaces import FAILED, FINE, LOST, add_org, failure_of
from justai_assets_tests.dag.databricks.world import (
    CLUSTER,
    DAYS,
    land,
    run,
    upstream,
)
from justai_assets_tests.world import World


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
