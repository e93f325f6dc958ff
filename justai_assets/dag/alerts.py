"""Alerts: a failed run or a failed check is posted to JUSTAI_ALERT_URL as JSON.

Who reads it decides by org, assets and code; the message carries no text of a foreign exception, which may quote a
record, and no secret. The address itself is one (chat services put their token into it) and is never logged.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError

URL = "JUSTAI_ALERT_URL"
UI = "JUSTAI_UI_URL"
TIMEOUT_SECONDS = 5.0
_LISTED = 20


class AlertError(JustAIError):
    """An alert that was not taken, because of the address or the way there: it waits until it is."""

    code = "alert"
    transient = True


class AlertRefusedError(JustAIError):
    """An alert that its receiver does not want in this form, now or later."""

    code = "alert_refused"


REFUSALS = {400, 413, 415, 422}
"""Answers about the message. All others are about the address (a token that ran out, a service that is away)."""


def send(url: str, alert: Mapping[str, Any]) -> None:
    """Post an alert, once.

    Raises:
        AlertError: it was not taken; names the answer or the kind of failure, never the address.
        AlertRefusedError: the receiver cannot do anything with it.
    """
    # httpx puts the address into its messages and its log: its exceptions end here.
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)
    mend = "see that it takes POST with a JSON body"
    try:
        # The answer's body is not read: it is nobody's, and may never end.
        with httpx.stream("POST", url, json=dict(alert), timeout=TIMEOUT_SECONDS, follow_redirects=False) as answer:
            status = answer.status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise AlertError(f"the address in {URL} is not a URL", mend="give https://…") from None
    except httpx.HTTPError as error:
        raise AlertError(f"the address in {URL} fails: {type(error).__name__}", mend=mend) from None
    if status in REFUSALS:
        raise AlertRefusedError(f"the address in {URL} answers {status}", mend=mend)
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
