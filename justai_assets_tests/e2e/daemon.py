"""A real dagster-daemon on the demo's data, in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import dagster as dg

INSTANCE = """\
telemetry: {enabled: false}
run_coordinator:
  module: justai_assets.dag.run_queue
  class: OrgRunQueue
  config: {max_concurrent_runs: 2, dequeue_interval_seconds: 1}
run_retries: {enabled: true, max_retries: 2}
run_monitoring: {enabled: true, start_timeout_seconds: 600, poll_interval_seconds: 5}
"""

# The program itself, but for the 30 seconds that its backfill daemon sleeps between two looks.
PROGRAM = """\
import dagster._daemon.controller as controller
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 4
from dagster._daemon.cli import main
main()
"""

Found = TypeVar("Found")


@dataclass
class Daemon:
    """The daemon's instance, and its log for when something goes wrong."""

    instance: dg.DagsterInstance
    log: Path

    def wait(self, what: str, until: Callable[[], Found | None], seconds: float = 90) -> Found:
        """Poll until something is true; the end of the daemon's log is in the error when it never is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = until()
            if found:
                return found
            time.sleep(1)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.told()}\n{self.log.read_text()[-3000:]}")

    def told(self) -> str:
        """The runs, one a line: tables, range, how it went, and when."""
        lines = []
        for record in reversed(self.instance.get_run_records()):
            run = record.dagster_run
            tables = ",".join(key.path[-1] for key in run.asset_selection or ())
            first = run.tags.get("dagster/asset_partition_range_start") or run.tags.get("dagster/partition")
            last = run.tags.get("dagster/asset_partition_range_end", "")
            took = f"{(record.end_time or 0) - (record.start_time or 0):.0f} s" if record.start_time else "-"
            lines.append(f"{record.create_timestamp:%H:%M:%S} {run.status.value} {took} {tables} {first} {last}")
        return "\n".join(lines)

    def runs(self, *, after: float = 0) -> list[dg.DagsterRun]:
        """Runs created after a time, oldest first."""
        records = self.instance.get_run_records()
        return [one.dagster_run for one in reversed(records) if one.create_timestamp.timestamp() > after]

    def at_rest(self, *, after: float, quiet: float = 20) -> bool:
        """Whether there were runs since, all have ended, and none came for some time."""
        records = [one for one in self.instance.get_run_records() if one.create_timestamp.timestamp() > after]
        if not records or any(not one.dagster_run.is_finished for one in records):
            return False
        return time.time() - max(one.end_time or 0 for one in records) > quiet

    def materialized(self, key: list[str], *, after: float) -> set[str]:
        """Partitions of an asset that were materialized, or reported, after a time."""
        query = dg.AssetRecordsFilter(asset_key=dg.AssetKey(key), after_timestamp=float(after))
        records = self.instance.fetch_materializations(query, limit=5000).records
        return {record.partition_key for record in records if record.partition_key}


@contextmanager
def daemon(home: Path, environment: Mapping[str, str]) -> Iterator[Daemon]:
    """Run the daemon until the block ends."""
    (home / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
    log = home / "daemon.log"
    # The instance first: two processes that lay out the same SQLite files at once stumble over each other.
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.get_run_records(limit=1)
        with processes(log, environment):
            yield Daemon(instance, log)


@contextmanager
def processes(log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The daemon, its code server and its workers; with the block all of them are killed at once, as a host's end does."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "run", "--log-level", "warning", "-m", "justai_assets.definitions"],
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            # They are of its session; a worker may have a group of its own.
            for pid in _session(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _session(leader: int) -> list[int]:
    found = [leader]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and int(stat.parent.name) != leader:
            found.append(int(stat.parent.name))
    return found
