"""Runs whose worker is gone: found, failed, alerted, and their pool slots given back.

Dagster asks its launcher whether a worker lives, and the launcher of a single machine does not know: after the machine
went down, a run would stay STARTED and hold its table's pool for ever. A worker writes its process id into its run's
log; the sensor runs in the code server, which started the worker, and looks whether that process is there.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

NAME = "fail_lost_runs"
INTERVAL_SECONDS = 60
GRACE_SECONDS = 60.0
"""After a run's last event: a worker that ends in order writes its last event just before it is gone."""

SILENCE = "JUSTAI_SILENT_RUN_MINUTES"
SILENCE_MINUTES = 360.0
"""For a run whose worker cannot be looked at, on another machine for one. Longer than any step without an event."""

HOST, PROCESS, LOST_BY = "justai/host", "justai/process", "justai/lost_by"
ALIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_CLOCKS_DIFFER_SECONDS = 5.0


def worker_tags() -> dict[str, str]:
    """Tags by which a run in this process can be told from one whose process is gone."""
    return {HOST: socket.gethostname(), PROCESS: str(os.getpid())}


def lost_runs_sensor(now: Callable[[], float] = time.time) -> dg.SensorDefinition:
    """Every minute: the runs under way of this code location, and headless ones."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fails runs whose worker is gone, and frees the pools that they hold.",
    )
    def fail_lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        mine = context.code_location_origin.location_name if context.code_location_origin else None
        lost = []
        for record in context.instance.get_run_records(dg.RunsFilter(statuses=ALIVE)):
            run = record.dagster_run
            origin = run.remote_job_origin
            if origin is not None and origin.repository_origin.code_location_origin.location_name != mine:
                continue
            began = record.start_time or record.create_timestamp.timestamp()
            why = why_lost(context.instance, run, began, now())
            if why:
                fail(context.instance, run, why, mine or "")
                context.log.error(f"run {run.run_id}: {why}")
                lost.append(run.run_id)
        return dg.SkipReason(f"failed: {', '.join(lost)}" if lost else "every run under way has its worker")

    return fail_lost_runs


def why_lost(instance: dg.DagsterInstance, run: dg.DagsterRun, began: float, now: float) -> str:
    """Why a run under way is taken for lost; "" when it is not.

    Args:
        instance: of the run.
        run: a run under way.
        began: when it started or was made, seconds since 1970.
        now: the current time.
    """
    newest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    last = newest[0].timestamp if newest else began
    if now - last < GRACE_SECONDS:
        return ""
    worker = _worker(instance, run, began)
    if worker is not None:
        process, since = worker
        return "" if is_there(process, since) else f"its worker, process {process}, is gone"
    minutes = float(os.environ.get(SILENCE) or SILENCE_MINUTES)
    if now - last < minutes * 60:
        return ""
    return f"no event for {minutes:.0f} minutes, and its worker cannot be looked at from here"


def _worker(instance: dg.DagsterInstance, run: dg.DagsterRun, began: float) -> tuple[int, float] | None:
    """The process of a run and a time at which it was there; None when it is not of this machine, or not known."""
    if run.tags.get(PROCESS):
        return (int(run.tags[PROCESS]), began) if run.tags.get(HOST) == socket.gethostname() else None
    for record in instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event is not None else None
        if pid is not None:
            return int(str(pid.value)), record.timestamp
    return None


def is_there(process: int, since: float) -> bool:
    """Whether a process that was there at a time still is. Its number may have gone to a later one.

    A machine without /proc has the number alone to go by.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        # Behind the name, which may hold anything.
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return True
    # A zombie is a worker that ended and that nobody has asked after.
    began = int(booted.split()[1]) + int(fields[18]) / _TICKS_A_SECOND
    return state != "Z" and began <= since + _CLOCKS_DIFFER_SECONDS


def fail(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str, location: str) -> None:
    """Report a run as failed, which the alert and the retry follow, and free its slots."""
    current = instance.get_run_by_id(run.run_id)
    if current is None or current.is_finished:
        return
    instance.add_run_tags(run.run_id, {LOST_BY: location})
    said = f"Taken for lost at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {why}."
    if current.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(current, said)
    else:
        instance.report_run_failed(current, said)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
