"""Alerts: a failed run or a failed check is posted to JUSTAI_ALERT_URL as JSON.

Who reads it decides by org, assets and code; the message carries no text of a foreign exception, which may quote a
record, and no secret. The address itself is one (chat services put their token into it) and is never logged. A
delivery that fails after its retries fails the sensor's tick, where it can be seen, and nothing else.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError

URL = "JUSTAI_ALERT_URL"
UI = "JUSTAI_UI_URL"
ATTEMPTS = 4
TIMEOUT_SECONDS = 5.0
TOTAL_SECONDS = 30.0
_LISTED = 20


class AlertError(JustAIError):
    """An alert that could not be delivered."""

    code = "alert"


class AlertDelayedError(AlertError):
    """The same, when another attempt may succeed."""

    transient = True


def send(url: str, alert: Mapping[str, Any]) -> None:
    """Post an alert; tried four times within half a minute, on refused connections, timeouts and answers of 429 or 5xx.

    Raises:
        AlertError: it was not taken; names the answer or the kind of failure, never the address.
    """
    import stamina

    @stamina.retry(on=AlertDelayedError, attempts=ATTEMPTS, timeout=TOTAL_SECONDS, wait_initial=0.2, wait_max=5.0)
    def deliver() -> None:
        _post(url, alert)

    deliver()


def _post(url: str, alert: Mapping[str, Any]) -> None:
    # httpx puts the address into its messages and its log, and a retry logs what it saw: its exceptions end here.
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)
    mend = "see that it takes POST with a JSON body"
    try:
        status = httpx.post(url, json=dict(alert), timeout=TIMEOUT_SECONDS, follow_redirects=False).status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise AlertError(f"the address in {URL} is not a URL", mend="give https://…") from None
    except httpx.HTTPError as error:
        raise AlertDelayedError(f"the address in {URL} fails: {type(error).__name__}", mend=mend) from None
    if status == 429 or status >= 500:
        raise AlertDelayedError(f"the address in {URL} answers {status}", mend=mend)
    if status >= 300:
        raise AlertError(f"the address in {URL} answers {status}", mend=mend)


def alert_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, Any] | None:
    """What is to be said of a finished run, or None when it succeeded and no check failed.

    Keys: event (run_failed | checks_failed), org, run_id, job, status, days, assets, will_retry, steps (step, error,
    code, message), checks (asset, check, severity, day, description), url.

    A step's message is there only when the error is ours: those never hold a secret or a record.
    """
    steps = [_step(entry.dagster_event) for entry in instance.all_logs(run.run_id, of_type=_STEP_FAILURE)]
    checks = _checks(instance, run)
    has_failed = run.status == dg.DagsterRunStatus.FAILURE
    if not has_failed and not checks:
        return None
    tags = run.tags
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or first
    ui = os.environ.get(UI, "").rstrip("/")
    return {
        "event": "run_failed" if has_failed else "checks_failed",
        "org": tags.get("org") or _org(run),
        "run_id": run.run_id,
        "job": run.job_name,
        "status": run.status.value,
        "days": None if first is None else [first, last],
        "assets": sorted("/".join(key.path) for key in run.asset_selection or ())[:_LISTED],
        "will_retry": tags.get("dagster/will_retry") == "true",
        "steps": steps[:_LISTED],
        "checks": checks[:_LISTED],
        "url": f"{ui}/runs/{run.run_id}" if ui else None,
    }


_STEP_FAILURE = dg.DagsterEventType.STEP_FAILURE
_EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION


def _step(event: dg.DagsterEvent | None) -> dict[str, Any]:
    assert event is not None
    data = event.step_failure_data
    cause = data.error
    while cause is not None and cause.cause is not None:
        cause = cause.cause
    said = data.user_failure_data
    code = said.metadata.get("code") if said is not None else None
    return {
        "step": event.step_key,
        "error": cause.cls_name if cause is not None else None,
        "code": str(code.value) if code is not None else None,
        "message": said.description if said is not None and code is not None else None,
    }


def _checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dict[str, Any]]:
    found = []
    for entry in instance.all_logs(run.run_id, of_type=_EVALUATION):
        assert entry.dagster_event is not None
        one = entry.dagster_event.asset_check_evaluation_data
        if not one.passed and one.severity == dg.AssetCheckSeverity.ERROR:
            asset = "/".join(one.asset_key.path)
            said = {"severity": one.severity.value, "day": one.partition, "description": one.description}
            found.append({"asset": asset, "check": one.check_name, **said})
    return found


def _org(run: dg.DagsterRun) -> str | None:
    slugs = {key.path[0] for key in run.asset_selection or () if len(key.path) > 1}
    return slugs.pop() if len(slugs) == 1 else None


def _react(context: dg.RunStatusSensorContext) -> None:
    url = os.environ.get(URL)
    alert = alert_of(context.instance, context.dagster_run) if url else None
    if url and alert is not None:
        send(url, alert)


def alert_sensors() -> list[dg.SensorDefinition]:
    """One sensor for failed runs and one for runs that succeeded with failed checks; running where a URL is set."""
    status = dg.DefaultSensorStatus.RUNNING if os.environ.get(URL) else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="alert_on_failed_run",
        default_status=status,
        description=f"Posts every failed run to {URL}; off until that is set.",
    )
    def alert_on_failed_run(context: dg.RunFailureSensorContext) -> None:
        _react(context)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="alert_on_failed_checks",
        default_status=status,
        description=f"Posts the failed checks of runs that succeeded to {URL}; off until that is set.",
    )
    def alert_on_failed_checks(context: dg.RunStatusSensorContext) -> None:
        _react(context)

    return [alert_on_failed_run, alert_on_failed_checks]
