"""Runs whose worker is gone, on a real instance with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test

from justai_assets.dag.lost_runs import HOST, PROCESS, lost_runs_sensor, worker_tags

POOL = "acme_esp_events"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {"concurrency": {"pools": {"default_limit": 1}}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as found:
        yield found


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as started:
        yield started
        started.kill()


def under_way(instance: dg.DagsterInstance, worker: int | None = None, **tags: str) -> dg.DagsterRun:
    """A run that has started and holds a pool."""
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED, tags=tags)
    if worker is not None:
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(worker))
    instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
    assert instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "step").is_claimed
    return run


def tick(instance: dg.DagsterInstance, *, minutes: float) -> None:
    """The sensor, so many minutes from now."""
    sensor = lost_runs_sensor(now=lambda: time.time() + minutes * 60)
    sensor.evaluate_tick(dg.build_sensor_context(instance))


def state(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, int]:
    """The run's status, and how many slots of the pool are held."""
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value, len(instance.event_log_storage.get_concurrency_info(POOL).claimed_slots)


def test_a_run_whose_worker_was_killed_fails_and_gives_its_pool_back(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run = under_way(instance, process.pid)
    tick(instance, minutes=600)
    assert state(instance, run) == ("STARTED", 1), "it may take as long as it likes"
    process.kill()
    process.wait()
    tick(instance, minutes=0.5)
    assert state(instance, run) == ("STARTED", 1), "its last event may be on its way"
    tick(instance, minutes=2)
    assert state(instance, run) == ("FAILURE", 0)
    assert "is gone" in str([entry.message for entry in instance.all_logs(run.run_id)])


def test_a_number_that_went_to_a_later_process_is_not_the_worker(instance: dg.DagsterInstance) -> None:
    """After a restart of the machine, some other process has the worker's number."""
    run = under_way(instance)
    began = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))[0]
    assert began.start_time is None or began.start_time > 0
    instance.add_run_tags(run.run_id, worker_tags())
    tick(instance, minutes=600)
    assert state(instance, run) == ("STARTED", 1), "this very process"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as later:
        from justai_assets.dag.lost_runs import is_there

        assert is_there(later.pid, time.time())
        assert not is_there(later.pid, time.time() - 3600)
        later.kill()


def test_a_headless_run_that_was_killed_fails_too(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run = under_way(instance, **{**worker_tags(), PROCESS: str(process.pid)})
    process.kill()
    process.wait()
    tick(instance, minutes=2)
    assert state(instance, run) == ("FAILURE", 0)


def test_a_run_of_another_machine_is_failed_after_long_silence_only(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = under_way(instance, **{HOST: "elsewhere", PROCESS: str(os.getpid())})
    tick(instance, minutes=300)
    assert state(instance, run) == ("STARTED", 1)
    monkeypatch.setenv("JUSTAI_SILENT_RUN_MINUTES", "120")
    tick(instance, minutes=119)
    assert state(instance, run) == ("STARTED", 1)
    tick(instance, minutes=121)
    assert state(instance, run) == ("FAILURE", 0)


def test_a_run_that_was_being_cancelled_ends_as_cancelled(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run = under_way(instance, process.pid)
    instance.report_run_canceling(run)
    process.kill()
    process.wait()
    tick(instance, minutes=2)
    assert state(instance, run) == ("CANCELED", 0)
