"""The alert sensors over many ticks: every failed run is told once, whatever becomes of the one who is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.dag import alert_sensors as sensors
from justai_assets.dag.alert_sensors import WAITS_FOR, alert_sensors
from justai_assets.dag.alerts import URL, AlertError
from justai_assets_tests.dag.receiver import TOKEN, receiver


@dg.op
def boom() -> None:
    raise ValueError("cannot parse 'ada@example.com'")


@dg.op
def fine() -> None:
    return


@dg.job
def failing() -> None:
    boom()


@dg.job
def sound() -> None:
    fine()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    # On disk, where the events of runs lie in several files and their numbers are those of one of them.
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


@dataclass
class Alerts:
    """One alert sensor, as the daemon evaluates it."""

    instance: dg.DagsterInstance
    name: str = "alert_on_failed_run"
    cursor: str | None = None
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def tick(self, *, is_crash: bool = False) -> str:
        sensor = next(one for one in alert_sensors(lambda: self.moment) if one.name == self.name)
        result = sensor(dg.build_sensor_context(self.instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        assert result.skip_reason is not None
        if not is_crash:
            self.cursor = result.cursor
        return str(result.skip_reason.skip_message)

    def fail_runs(self, count: int) -> list[str]:
        return [failing.execute_in_process(instance=self.instance, raise_on_error=False).run_id for _ in range(count)]


@pytest.fixture
def alerts(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Alerts:
    found = Alerts(instance)
    monkeypatch.setenv(URL, "http://127.0.0.1:9/")
    found.tick()
    return found


def test_every_failed_run_is_told_once_in_the_order_of_their_ends(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = alerts.fail_runs(3)
    sound.execute_in_process(instance=alerts.instance)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert alerts.tick() == "3 alerts taken"
        assert alerts.tick() == "0 alerts taken"
        more = alerts.fail_runs(1)
        alerts.tick()
    assert [alert["run_id"] for alert in taken] == [*runs, *more]


@pytest.mark.parametrize("passing", [401, 404, 429, 503])
def test_an_alert_that_is_not_taken_waits_and_so_do_those_behind_it(
    passing: int, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = alerts.fail_runs(3)
    with receiver(200, *[passing] * 4, 200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert "1 alerts taken; the next one waits" in alerts.tick()
        for _ in range(3):
            with pytest.raises(AlertError, match=str(passing)):
                alerts.tick()
        assert alerts.tick() == "2 alerts taken"
    assert [alert["run_id"] for alert in taken] == [runs[0], *[runs[1]] * 5, runs[2]]


def test_an_address_that_does_not_answer_fails_the_tick_in_time_and_nothing_else(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.dag.alerts.TIMEOUT_SECONDS", 0.2)
    (run,) = alerts.fail_runs(1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv(URL, f"http://127.0.0.1:{silent.getsockname()[1]}/{TOKEN}")
        began = datetime.now(UTC)
        with pytest.raises(AlertError, match="Timeout") as caught:
            alerts.tick()
    assert datetime.now(UTC) - began < timedelta(seconds=10)
    assert TOKEN not in str(caught.value)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        alerts.tick()
    assert [alert["run_id"] for alert in taken] == [run]


def test_an_alert_that_nobody_wants_is_passed_over_and_holds_up_no_other(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = alerts.fail_runs(2)
    with receiver(413, 200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert alerts.tick() == "1 alerts taken"
        assert alerts.tick() == "0 alerts taken"
    assert [alert["run_id"] for alert in taken] == runs


def test_a_crash_before_the_cursor_tells_it_again_and_never_loses_it(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = alerts.fail_runs(2)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        alerts.tick(is_crash=True)
        alerts.tick()
    assert [alert["run_id"] for alert in taken] == [*runs, *runs]


def test_a_tick_begins_no_run_when_its_time_is_up_and_the_next_goes_on(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = alerts.fail_runs(3)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        with monkeypatch.context() as short:
            short.setattr(sensors, "MOST_RUNS", 2)
            assert alerts.tick() == "2 alerts taken"
            short.setattr(sensors, "BUDGET_SECONDS", -1)
            assert alerts.tick() == "0 alerts taken"
        assert alerts.tick() == "1 alerts taken"
    assert [alert["run_id"] for alert in taken] == runs


def test_what_ended_before_the_sensor_began_is_not_told_nor_what_waited_for_days(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = Alerts(instance)
    alerts.fail_runs(1)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert "begins with the next run" in alerts.tick()
        assert alerts.tick() == "0 alerts taken"
        alerts.fail_runs(1)
        alerts.moment += WAITS_FOR + timedelta(minutes=1)
        assert alerts.tick() == "0 alerts taken"
    assert taken == []


def test_the_cursor_of_dagsters_own_run_status_sensor_is_begun_anew(alerts: Alerts) -> None:
    alerts.cursor = '{"__class__": "RunStatusSensorCursor", "record_id": 7}'
    assert "begins with the next run" in alerts.tick()


def test_a_run_of_another_code_location_is_told_by_that_one(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts.fail_runs(1)
    monkeypatch.setattr(dg.SensorEvaluationContext, "repository_name", "another")
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert alerts.tick() == "0 alerts taken"
    assert taken == []


def test_without_an_address_nothing_happens_and_nothing_piles_up(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL, raising=False)
    alerts.fail_runs(1)
    assert alerts.tick() == f"{URL} is not set"
    assert {sensor.default_status for sensor in alert_sensors()} == {dg.DefaultSensorStatus.STOPPED}
    monkeypatch.setenv(URL, "http://127.0.0.1:9/")
    assert {sensor.default_status for sensor in alert_sensors()} == {dg.DefaultSensorStatus.RUNNING}
    assert alerts.tick() == "0 alerts taken"


def test_a_run_that_succeeded_is_told_by_the_other_sensor_when_a_check_failed(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset
    def rows() -> None:
        return

    @dg.asset_check(asset=rows)
    def complete() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR)

    other = Alerts(alerts.instance, "alert_on_failed_checks")
    other.tick()
    result = dg.materialize([rows, complete], instance=alerts.instance)
    with receiver(200) as (url, taken):
        monkeypatch.setenv(URL, url)
        assert other.tick() == "1 alerts taken"
        assert alerts.tick() == "0 alerts taken"
    (alert,) = taken
    assert (alert["event"], alert["run_id"]) == ("checks_failed", result.run_id)
    run = alerts.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.SUCCESS
