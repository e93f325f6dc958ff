"""`justai materialize` beside a run that holds its table: it says so, gives up, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from justai_assets_tests.world import WEBHOOK_ORG, World, esp

POOL = "acme_esp_events"
INSTANCE = "telemetry: {enabled: false}\nconcurrency:\n  pools: {default_limit: 1, granularity: op}\n"
COMMAND = [
    *(str(Path(sys.executable).with_name("justai")), "materialize", "--org", "acme"),
    *("--from", "2026-01-05", "--to", "2026-01-05", "--asset", "esp_events"),
]


@pytest.fixture
def held(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dg.DagsterInstance, str]]:
    """An instance in which another run holds the pool of the table, and that run's id."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE)
    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    for name, value in {
        "DAGSTER_HOME": home,
        "JUSTAI_ORGS_DIR": world.folder / "orgs",
        "JUSTAI_LANDING": world.landing.url,
        "JUSTAI_LAKE": world.lake.root.url,
    }.items():
        monkeypatch.setenv(name, str(value))
    with dg.DagsterInstance.get() as instance:
        other = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
        instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        assert instance.event_log_storage.claim_concurrency_slot(POOL, other.run_id, "its_step").is_claimed
        yield instance, other.run_id


def mine(instance: dg.DagsterInstance, other: str) -> dg.DagsterRun:
    (run,) = [run for run in instance.get_runs() if run.run_id != other]
    return run


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_that_waits_for_a_pool(held: tuple[dg.DagsterInstance, str], told: signal.Signals) -> None:
    instance, other = held
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert f"waiting for a slot of pool {POOL}, held by run {other} (its_step)" in first
        began = time.monotonic()
        process.send_signal(told)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 1, rest
    assert time.monotonic() - began < 50, "the wait for a pool is ten minutes"
    assert "stopping" in rest
    assert "Traceback" not in rest
    assert mine(instance, other).status == dg.DagsterRunStatus.CANCELED
    info = instance.event_log_storage.get_concurrency_info(POOL)
    assert [slot.run_id for slot in info.claimed_slots] == [other]
    assert not info.pending_run_ids


def test_the_wait_for_a_pool_is_bounded_and_names_who_holds_it(held: tuple[dg.DagsterInstance, str]) -> None:
    instance, other = held
    environment = {**os.environ, "JUSTAI_POOL_WAIT_SECONDS": "1"}
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert f"gave up after 1 s: waiting for a slot of pool {POOL}, held by run {other}" in done.stderr
    assert mine(instance, other).status == dg.DagsterRunStatus.CANCELED


def test_it_goes_on_when_the_pool_is_given_back(held: tuple[dg.DagsterInstance, str]) -> None:
    instance, other = held
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        assert "waiting" in process.stderr.readline()
        instance.event_log_storage.free_concurrency_slots_for_run(other)
        _, rest = process.communicate(timeout=120)
    assert process.returncode == 0, rest
    assert mine(instance, other).is_success
