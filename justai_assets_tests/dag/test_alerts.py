from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
import stamina

from justai_assets.contract.errors import StorageError
from justai_assets.dag.alerts import URL, AlertError, alert_of, alert_sensors, send
from justai_assets.landing.paths import day_prefix
from justai_assets_tests.dag.demo_week import DAYS, Week, landed_week

TOKEN = "T0K3N"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    stamina.set_testing(True, attempts=4, cap=True)
    yield
    stamina.set_testing(False)


@contextmanager
def receiver(*answers: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers with these codes, the last one for ever, and keeps what was posted."""
    taken: list[dict[str, Any]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/{TOKEN}", taken
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    with landed_week(tmp_path / "demo") as found:
        yield found


def react(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, name: str) -> None:
    """What the sensor daemon does with a finished run."""
    sensor = next(one for one in alert_sensors() if one.name == name)
    context = dg.build_run_status_sensor_context(
        sensor_name=name,
        dagster_event=result.all_events[-1],
        dagster_instance=instance,
        dagster_run=instance.get_run_by_id(result.run_id),  # type: ignore[arg-type]
    )
    sensor(context.for_run_failure() if name == "alert_on_failed_run" else context)  # type: ignore[operator]


def fail(week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Any:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("justai_assets.dag.org_assets.build_from_doors", broken)
    return week.run(instance, ["esp_events"])


def test_an_alert_is_posted_once_and_taken() -> None:
    with receiver(200) as (url, taken):
        send(url, {"event": "run_failed"})
    assert taken == [{"event": "run_failed"}]


@pytest.mark.parametrize("passing", [429, 500, 503])
def test_a_passing_trouble_is_tried_again(passing: int) -> None:
    with receiver(passing, passing, 200) as (url, taken):
        send(url, {"event": "run_failed"})
    assert len(taken) == 3


@pytest.mark.parametrize(("answer", "attempts"), [(404, 1), (403, 1), (302, 1), (500, 4)])
def test_a_refusal_is_an_error_that_does_not_name_the_address(
    answer: int, attempts: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver(answer) as (url, taken), pytest.raises(AlertError, match=str(answer)) as caught:
        send(url, {"event": "run_failed"})
    assert len(taken) == attempts
    printed = capsys.readouterr()
    assert TOKEN not in str(caught.value) + printed.out + printed.err + "".join(
        r.getMessage() for r in caplog.records if r.name != "httpcore"
    )


@pytest.mark.parametrize("url", [f"http://127.0.0.1:9/{TOKEN}", f"not a url {TOKEN}", f"ftp://x/{TOKEN}"])
def test_an_address_that_cannot_be_reached_is_an_error(url: str) -> None:
    with pytest.raises(AlertError) as caught:
        send(url, {"event": "run_failed"})
    assert TOKEN not in str(caught.value)


def test_a_failed_run_is_posted_with_org_days_step_and_code(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fail(week, instance, monkeypatch, StorageError("listing acme/: access denied", mend="check the role"))
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        monkeypatch.setenv("JUSTAI_UI_URL", "https://dagster.example.com/")
        react(instance, result, "alert_on_failed_run")
    (alert,) = taken
    assert (alert["event"], alert["org"], alert["status"]) == ("run_failed", "acme", "FAILURE")
    assert alert["days"] == [str(DAYS.first), str(DAYS.last)]
    (step,) = alert["steps"]
    assert (step["error"], step["code"]) == ("StorageError", "storage")
    assert step["message"] == "listing acme/: access denied (check the role)"
    assert alert["url"] == f"https://dagster.example.com/runs/{result.run_id}"


def test_the_text_of_a_foreign_exception_is_not_posted(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fail(week, instance, monkeypatch, ValueError("cannot parse 'ada@example.com'"))
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    alert = alert_of(instance, run)
    assert alert is not None
    assert alert["steps"][0]["error"] == "ValueError"
    assert "ada@example.com" not in json.dumps(alert)


def test_a_failed_check_of_a_run_that_succeeded_is_posted(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {
        "entries": [
            {
                "url": f"s3://landing/{day_prefix('redshift', 'acme', DAYS.first)}/gone.parquet",
                "meta": {"record_count": 9},
            }
        ]
    }
    week.landing.write(f"{day_prefix('redshift', 'acme', DAYS.first)}/manifest", json.dumps(manifest).encode())
    result = week.run(instance, ["custom_events"])
    assert result.success
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        react(instance, result, "alert_on_failed_checks")
    (alert,) = taken
    assert alert["event"] == "checks_failed"
    assert {(check["asset"], check["check"]) for check in alert["checks"]} == {("acme/custom_events", "stale_parts")}
    assert {check["day"] for check in alert["checks"]} == {str(DAYS.first), None}


def test_a_sound_run_and_a_warning_post_nothing(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = week.run(instance, ["esp_events", "custom_events"])
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        react(instance, result, "alert_on_failed_checks")
    assert taken == []


def test_without_an_address_nothing_happens(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL, raising=False)
    react(instance, fail(week, instance, monkeypatch, ValueError("x")), "alert_on_failed_run")
    assert {sensor.default_status for sensor in alert_sensors()} == {dg.DefaultSensorStatus.STOPPED}
    monkeypatch.setenv(URL, "https://example.com")
    assert {sensor.default_status for sensor in alert_sensors()} == {dg.DefaultSensorStatus.RUNNING}


def test_a_delivery_that_fails_leaves_the_run_as_it_was(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = week.run(instance, ["esp_events"])
    monkeypatch.setenv(URL, "http://127.0.0.1:9/")
    monkeypatch.setattr("justai_assets.dag.alerts._checks", lambda *_: [{"asset": "acme/esp_events"}])
    with pytest.raises(AlertError):
        react(instance, result, "alert_on_failed_checks")
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.SUCCESS
