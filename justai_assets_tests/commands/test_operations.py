"""`justai status` and `justai backfill`, as typed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from justai_assets.cli import run
from justai_assets.dag.run_queue import OrgRunQueue
from justai_assets_tests.commands.days import DAYS, LAST
from justai_assets_tests.dag.demo_week import Week


def test_waiting_for_a_backfill_that_no_daemon_takes_ends_and_says_so(
    week: Week, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.commands.backfill_command.SILENCE", timedelta(seconds=1))
    assert run(["backfill", "--org", "acme", "--from", str(LAST), "--to", str(LAST), "--wait"]) == 1
    said = capsys.readouterr().err
    assert "no daemon has been heard" in said
    assert "start dagster-daemon" in said


def test_days_that_a_backfill_still_has_before_it_are_said_and_not_missing_twice(
    week: Week, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["backfill", "--org", "acme", "--from", str(DAYS.first), "--to", str(LAST)]
    assert run([*asked, "--asset", "esp_events", "--only-missing"]) == 0
    with dg.DagsterInstance.get() as instance:
        (first,) = instance.get_backfills()
    capsys.readouterr()
    assert run([*asked, "--asset", "esp_events", "--only-missing"]) == 0
    said = capsys.readouterr().out
    assert f"backfill {first.backfill_id} has 2 of these days before it; they are left to it" in said
    assert "nothing to do" in said
    assert run([*asked, "--only-missing", "--dry-run"]) == 0
    others = capsys.readouterr().out
    assert "acme/esp_events" not in others
    assert "acme/custom_events" in others
    assert run([*asked, "--asset", "esp_events"]) == 0
    assert "2 of these days before it; they are asked for once more" in capsys.readouterr().out
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_backfills()) == 2
        instance.update_backfill(first.with_status(BulkActionStatus.CANCELED))
        (other,) = (one for one in instance.get_backfills() if one.backfill_id != first.backfill_id)
        instance.update_backfill(other.with_status(BulkActionStatus.COMPLETED_FAILED))
    assert run([*asked, "--asset", "esp_events", "--only-missing", "--dry-run"]) == 0
    assert "acme/esp_events" in capsys.readouterr().out, "an ended one has nothing before it"


POSTGRES = """storage: {postgres: {postgres_db: {scheme: SCHEME, hostname: 127.0.0.1, port: 9,
  db_name: a, username: b, password: hunter2, params: {connect_timeout: 1}}}}"""


@pytest.mark.parametrize(
    ("home", "content", "said"),
    [
        ("nowhere", None, "is not a folder"),
        ("relative/home", None, "not an absolute path"),
        ("home", "nonsense: [", "dagster.yaml, line 1 is not valid YAML"),
        ("home", "nonsense: hunter2", "is not a valid configuration"),
        ("home", POSTGRES.replace("127.0.0.1", "{env: NO_SUCH_VARIABLE}"), "dagster.yaml"),
        ("home", POSTGRES.replace("SCHEME", "postgresql+nodriver"), "dagster.yaml"),
        ("home", POSTGRES.replace("SCHEME", "postgresql+psycopg2"), "does not answer"),
    ],
    ids=["missing", "relative", "yaml", "unknown", "unset", "driver", "away"],
)
@pytest.mark.parametrize("command", ["status", "backfill"])
@pytest.mark.usefixtures("org_files")
def test_an_instance_that_cannot_be_used_is_one_clear_line(
    command: str,
    home: str,
    content: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("dagster_postgres.utils.time.sleep", lambda _: None)
    folder = tmp_path / home
    if content is not None:
        folder.mkdir()
        (folder / "dagster.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", home if "/" in home else str(folder))
    arguments = ["status"] if command == "status" else ["backfill", "--org", "acme"]
    arguments += [] if command == "status" else ["--from", str(DAYS.first), "--to", str(LAST)]
    assert run(arguments) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert said in printed
    assert "hunter2" not in printed
    assert "Retrying" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status", "--days", "0"], 2),
        (["status", "--org", "nobody"], 1),
        (["backfill", "--org", "acme"], 2),
        (
            [
                "backfill",
                "--org",
                "acme",
                "--from",
                "2026-01-01",
                "--to",
                "2026-01-02",
                "--only-failed",
                "--only-missing",
            ],
            2,
        ),
        (["backfill", "--org", "acme", "--from", "yesterday", "--to", "2026-01-02"], 2),
        (["backfill", "--org", "acme", "--from", "2020-01-01", "--to", "2020-01-02"], 1),
        (["backfill", "--help"], 0),
        (["status", "--help"], 0),
    ],
)
@pytest.mark.usefixtures("org_files")
def test_exit_codes_and_errors_on_stderr(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert bool(printed.err) == (code != 0)
    if arguments[-1] == "--help":
        assert "Example" in printed.out


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
@pytest.mark.parametrize("command", ["collect", "ui"])
def test_a_port_that_cannot_be_one_is_wrong_use(
    org_files: None, command: str, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command, f"--port={port}"]) == 2
    assert not (tmp_path / ".justai").exists()


def test_the_demos_instance_has_pools_a_limit_of_runs_and_the_org_run_queue(org_files: None) -> None:
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_coordinator, OrgRunQueue)
        assert instance.event_log_storage.get_pool_config().default_pool_limit == 1
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 2
        instance.event_log_storage.initialize_concurrency_limit_to_default("a_table")
        assert instance.event_log_storage.get_pool_limits()[0].limit == 1
