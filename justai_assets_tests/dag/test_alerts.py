from __future__ import annotations

import json
import logging
from typing import Any

import dagster as dg
import pytest

from justai_assets.contract.errors import JustAIError, StorageError, TransientStorageError
from justai_assets.dag.alerts import AlertError, AlertRefusedError, alert_of, send
from justai_assets.landing.landing_paths import day_prefix
from justai_assets_tests.dag.demo_week import DAYS, Week
from justai_assets_tests.dag.receiver import TOKEN, receiver


def said(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    alert = alert_of(instance, run)
    assert alert is not None
    return alert


def fail(week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Any:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("justai_assets.dag.org_assets.build_from_doors", broken)
    return week.run(instance, ["esp_events"])


def test_an_alert_is_posted_once_and_taken() -> None:
    with receiver(200) as (url, taken):
        send(url, {"event": "run_failed"})
    assert taken == [{"event": "run_failed"}]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *((code, AlertError) for code in (302, 401, 403, 404, 429, 500, 503)),
        *((code, AlertRefusedError) for code in (400, 413, 422)),
    ],
)
def test_what_is_not_taken_is_an_error_that_does_not_name_the_address(
    answer: int, error: type[JustAIError], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver(answer) as (url, taken), pytest.raises(error, match=str(answer)) as caught:
        send(url, {"event": "run_failed"})
    assert len(taken) == 1
    printed = capsys.readouterr()
    assert TOKEN not in str(caught.value) + printed.out + printed.err + "".join(
        r.getMessage() for r in caplog.records if r.name != "httpcore"
    )


@pytest.mark.parametrize("url", [f"http://127.0.0.1:9/{TOKEN}", f"not a url {TOKEN}", f"ftp://x/{TOKEN}"])
def test_an_address_that_cannot_be_reached_is_an_error(url: str) -> None:
    with pytest.raises(AlertError) as caught:
        send(url, {"event": "run_failed"})
    assert TOKEN not in str(caught.value)


def test_an_alert_on_a_failed_run_has_org_days_step_and_code(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fail(week, instance, monkeypatch, StorageError("listing acme/: access denied", mend="check the role"))
    monkeypatch.setenv("JUSTAI_UI_URL", "https://dagster.example.com/")
    alert = said(instance, result)
    assert (alert["event"], alert["org"], alert["status"]) == ("run_failed", "acme", "FAILURE")
    assert alert["days"] == [str(DAYS.first), str(DAYS.last)]
    (step,) = alert["steps"]
    assert (step["error"], step["code"]) == ("StorageError", "storage")
    assert step["message"] == "listing acme/: access denied (check the role)"
    assert alert["url"] == f"https://dagster.example.com/runs/{result.run_id}"


def test_the_text_of_a_foreign_exception_is_not_told(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fail(week, instance, monkeypatch, ValueError("cannot parse 'ada@example.com'"))
    alert = said(instance, result)
    assert alert["steps"][0]["error"] == "ValueError"
    assert "ada@example.com" not in json.dumps(alert)


def test_a_failed_check_of_a_run_that_succeeded_is_told(
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
    alert = said(instance, result)
    assert alert["event"] == "checks_failed"
    assert {(check["asset"], check["check"]) for check in alert["checks"]} == {("acme/custom_events", "stale_parts")}
    assert {check["day"] for check in alert["checks"]} == {str(DAYS.first), None}


def test_of_a_sound_run_and_a_warning_there_is_nothing_to_say(week: Week, instance: dg.DagsterInstance) -> None:
    result = week.run(instance, ["esp_events", "custom_events"])
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert alert_of(instance, run) is None


def test_when_retries_are_used_up_the_alert_still_says_what_failed_and_what_to_do(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.dag.run_retries.RETRIES", 1)
    result = fail(week, instance, monkeypatch, TransientStorageError("listing acme/ failed", mend="it is retried"))
    (step,) = said(instance, result)["steps"]
    assert step["code"] == "storage_transient"
    assert step["message"] == "listing acme/ failed (it is retried); the same after 1 retries"
