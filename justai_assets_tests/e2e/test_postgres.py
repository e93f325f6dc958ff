"""The server's own configuration on a real PostgreSQL: a month of one org, asked for on the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.dag.failed_days_check import unfinished_days
from justai_assets_tests.dag.demo_week import Week, landed_week
from justai_assets_tests.e2e.daemon import processes
from justai_assets_tests.e2e.servers import BIN, PROJECT, postgres

DAYS = Days(date(2026, 1, 5), date(2026, 2, 3))

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DAGSTER_HOME on a server of its own, without tables."""
    with postgres() as variables:
        home = tmp_path / "dagster"
        home.mkdir()
        shutil.copy(PROJECT / "deploy" / "dagster.yaml", home)
        for name, value in {**variables, "DAGSTER_HOME": str(home), "JUSTAI_AUTOMATION_SECONDS": "3600"}.items():
            monkeypatch.setenv(name, value)
        yield home


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Week]:
    """Landed days, and the tables of Dagster for what runs over them."""
    # A landed week has a DAGSTER_HOME of its own.
    with (
        landed_week(tmp_path / "demo", sends=5, days=DAYS) as week,
        mock.patch.dict(os.environ, DAGSTER_HOME=str(home)),
    ):
        # Two processes that lay out the same tables at once stumble over each other; docs/operations.md starts with this.
        subprocess.run([BIN / "dagster", "instance", "migrate"], check=True, capture_output=True, timeout=120)
        yield week


def justai(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from justai_assets.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=800, check=False)


def test_a_backfill_of_thirty_days_passes_on_postgresql(server: Week, tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with processes(log, {"PYTHONPATH": str(PROJECT)}):
        done = justai("backfill", "--org", "acme", "--from", str(DAYS.first), "--to", str(DAYS.last), "--wait")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log.read_text(errors='replace')[-4000:]}"
    assert "COMPLETED_SUCCESS" in done.stdout
    with dg.DagsterInstance.get() as instance:
        assert "Postgres" in type(instance.event_log_storage).__name__
        for table in unfinished_days(instance, server.org("acme"), DAYS):
            assert (table.failed, table.missing) == ((), ()), table.key
        runs = [run for run in instance.get_runs() if "dagster/backfill" in run.tags]
        assert len(runs) <= 3, "thirty days are a few ranged runs"
        check = dg.AssetCheckKey(dg.AssetKey(["acme", "unified_events"]), "conservation")
        judged = instance.event_log_storage.get_asset_check_partition_info([check])
        passed = {info.partition_key for info in judged if info.latest_execution_status.value == "SUCCEEDED"}
        assert {str(day) for day in DAYS} <= passed
    again = justai("backfill", "--org", "acme", "--from", str(DAYS.first), "--to", str(DAYS.last), "--only-missing")
    assert again.returncode == 0
    assert "no day is missing" in again.stdout


@pytest.mark.usefixtures("home")
def test_the_servers_configuration_limits_orgs_and_pools() -> None:
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_concurrency_config().run_queue_config
        assert runs is not None
        org_limit = next(limit for limit in runs.tag_concurrency_limits if limit["key"] == "org")
        assert org_limit["value"] == {"applyLimitPerUniqueValue": True}
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
