"""What sends alerts: sensors that go through the runs as they end, and wait at one whose alert is not taken.

Dagster's own run status sensors go on to the next run when their reaction fails, so an endpoint that is away for a few
seconds would lose the alert for good. Here the instance's record of ended runs is the list of what is to be said, and
the cursor is the place in it: it moves past a run when its alert was taken. An alert may be posted twice (a daemon that
dies in between), and is never lost.
"""

import json
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.event_api import RunStatusChangeEventType

from justai_assets.dag.alerts import URL, AlertError, AlertRefusedError, alert_of, send
from justai_assets.dag.lost_runs import LOST_BY
from justai_assets.dag.source_sensor import now_utc

INTERVAL_SECONDS = 15
BUDGET_SECONDS = 30.0
"""When no further run is begun. A post that hangs takes ten seconds more; the tick's limit is 60."""

MOST_RUNS = 200
"""Runs of one tick."""

WAITS_FOR = timedelta(days=3)
"""An alert that could not be delivered for so long is news to nobody; it is passed over, and the tick says so."""


def alert_sensors(now: Callable[[], datetime] = now_utc) -> list[dg.SensorDefinition]:
    """One sensor for failed runs and one for runs that succeeded with failed checks; running where a URL is set."""
    return [
        _alert_sensor(
            "alert_on_failed_run",
            dg.DagsterEventType.RUN_FAILURE,
            f"Posts every failed run to {URL}; off until that is set.",
            now,
        ),
        _alert_sensor(
            "alert_on_failed_checks",
            dg.DagsterEventType.RUN_SUCCESS,
            f"Posts the failed checks of runs that succeeded to {URL}; off until that is set.",
            now,
        ),
    ]


def _alert_sensor(
    name: str, ended: RunStatusChangeEventType, description: str, now: Callable[[], datetime]
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if os.environ.get(URL) else dg.DefaultSensorStatus.STOPPED,
        description=description,
    )
    def alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        url = os.environ.get(URL)
        place = _decode(context.cursor)
        if not url or place is None:
            # What ended before there was an address, or before the sensor was switched on, is not told.
            latest = context.instance.fetch_run_status_changes(ended, limit=1).records
            said = "it begins with the next run" if url else f"{URL} is not set"
            return dg.SensorResult(skip_reason=said, cursor=_encode(latest[0].storage_id if latest else 0))
        return _tell(context, url, ended, place, now())

    return alert


def _tell(
    context: dg.SensorEvaluationContext, url: str, ended: RunStatusChangeEventType, place: int, now: datetime
) -> dg.SensorResult:
    """Post what is to be said of the runs that ended behind a place, in order, until one is not taken.

    Raises:
        AlertError: not even the first was taken; the tick fails, where a person can see it, and the cursor stays.
    """
    began = time.monotonic()
    first = place
    taken = 0
    waits: AlertError | None = None
    behind = dg.RunStatusChangeRecordsFilter(event_type=ended, after_storage_id=place)
    for record in context.instance.fetch_run_status_changes(behind, limit=MOST_RUNS, ascending=True).records:
        if time.monotonic() - began > BUDGET_SECONDS:
            break
        run = context.instance.get_run_by_id(record.event_log_entry.run_id)
        message = alert_of(context.instance, run) if run is not None and _is_ours(context, run) else None
        if message is not None and record.timestamp < (now - WAITS_FOR).timestamp():
            context.log.error(f"the alert on run {message['run_id']} is too old and was never taken")
        elif message is not None:
            try:
                send(url, message)
                taken += 1
            except AlertRefusedError as error:
                context.log.error(f"the alert on run {message['run_id']} is not wanted: {error}")  # noqa: TRY400 - the message says it all
            except AlertError as error:
                waits = error
                break
        place = record.storage_id
    if waits is not None and place == first:
        raise waits
    said = f"{taken} alerts taken" + (f"; the next one waits: {waits}" if waits else "")
    return dg.SensorResult(skip_reason=said, cursor=_encode(place))


def _is_ours(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether a run is of this code location: with several, each tells of its own."""
    mine = context.code_location_origin
    theirs = run.remote_job_origin
    if theirs is None and LOST_BY in run.tags:
        # Begun at a terminal, and nobody is there any more.
        return run.tags[LOST_BY] == (mine.location_name if mine else "")
    return (mine.location_name if mine else None, context.repository_name) == (
        (theirs.repository_origin.code_location_origin.location_name, theirs.repository_origin.repository_name)
        if theirs
        else (None, None)
    )


def _encode(place: int) -> str:
    return json.dumps({"version": 1, "place": place})


def _decode(text: str | None) -> int | None:
    """The place in a cursor; None where there is none, or where it is another version's."""
    try:
        parsed = json.loads(text or "")
        return int(parsed["place"]) if parsed["version"] == 1 else None
    except (ValueError, TypeError, KeyError):
        return None
