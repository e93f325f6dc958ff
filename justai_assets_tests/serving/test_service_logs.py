"""A log that cannot be written costs its lines, and nothing else."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from justai_assets.serving import service_logs as logs
from justai_assets.serving.counters import CounterReader
from justai_assets.serving.service_logs import (
    DROPPED,
    LogWriter,
    QueuedStderr,
    QueueHandler,
    access_sink,
    logger,
    writer,
)
from justai_assets_tests.serving.disk import small_disk
from justai_assets_tests.serving.nursery import Nursery, served
from justai_assets_tests.serving.sends import send
from justai_assets_tests.serving.service import Service, landed, settings, write_orgs


def test_a_line_is_written_and_what_is_logged_is_json(capfd) -> None:
    logger().error("something", org="acme", count=3)
    assert writer().flush(5)
    entry = json.loads(capfd.readouterr().err)
    assert (entry["event"], entry["org"], entry["count"], entry["level"]) == ("something", "acme", 3, "error")


def test_a_full_disk_costs_lines_while_it_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        descriptor = os.open(disk / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        found = LogWriter(descriptor)
        for _ in range(20):
            found.put(b"x" * 8192)
            found.flush(5)
        assert 0 < found.dropped < 20
        os.truncate(disk / "log", 0)
        found.put(b"room again")
        assert found.flush(5)
        assert (disk / "log").read_bytes() == b"room again\n"
        os.close(descriptor)


def test_a_closed_pipe_raises_nothing(tmp_path: Path) -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    found = LogWriter(descriptor)
    for _ in range(3):
        found.put(b"nobody reads")
        assert found.flush(5)
    assert found.dropped == 3


def test_a_reader_that_no_longer_reads_makes_nobody_wait(tmp_path: Path) -> None:
    _, descriptor = os.pipe()
    found = LogWriter(descriptor, limit=100)
    begun = time.monotonic()
    for _ in range(5_000):
        found.put(b"x" * 1000)
    assert time.monotonic() - begun < 30, "the reader never comes back"
    assert found.dropped > 4_000
    assert not found.flush(0.05)


def test_dropped_lines_are_reported_once() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    found, counted = LogWriter(descriptor), []
    for _ in range(2):
        found.put(b"nobody reads")
        assert found.flush(5)
        for _ in range(2):
            found.report_dropped(lambda key, count: counted.append((key, count)))
    assert counted == [(DROPPED, 1), (DROPPED, 1)]


def test_each_entry_of_the_access_log_is_a_line_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that counted as one line let the queue grow to a thousand times its bound."""
    _, descriptor = os.pipe()
    found = LogWriter(descriptor, limit=100)
    monkeypatch.setattr(logs, "writer", lambda: found)
    for _ in range(10):
        access_sink()([{"event": "request", "filler": "x" * 1000}] * 1000)
    assert found.dropped >= 10_000 - 100 - 500


@pytest.mark.parametrize(
    "facts", [{"what": "caf\udce9"}, {"what": 1 << 80}, {"what": {1: object()}}, {"what": float("nan")}]
)
def test_no_fact_makes_a_logger_raise(facts: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    logger().error("something", **facts)
    access_sink()([{"event": "something", **facts}])
    assert writer().flush(5)
    assert [json.loads(line)["event"].strip("'") for line in capfd.readouterr().err.splitlines()] == ["something"] * 2


def test_what_libraries_log_and_tracebacks_hold_no_text_of_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    log, address = logging.Logger("asyncio"), "jane@example.com"
    log.addHandler(QueueHandler())
    with contextlib.redirect_stderr(QueuedStderr()):
        try:
            int(address)
        except ValueError:
            traceback.print_exc()
            log.exception("never retrieved: %r", address)
        log.error("%d", "no number")
    assert writer().flush(5)
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert "jane" not in str(told)
    assert {"event": "stderr", "message": "ValueError"} in told
    assert [one["error"] for one in told if one.get("error")] == ["ValueError"]


def test_a_process_with_a_stalled_log_ends() -> None:
    code = (
        "import os; r, w = os.pipe(); os.dup2(w, 2)\n"
        "from justai_assets.serving.service_logs import logger, writer\n"
        "for i in range(3000): logger().info('x', filler='y' * 100)\n"
        "writer().flush()"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_log_without_a_reader_stops_neither_answers_nor_landing_nor_the_end(tmp_path: Path, starter: Nursery) -> None:
    with served_without_a_reader(starter, tmp_path, events=1500):
        assert len(landed(tmp_path / "landing")) == 1500


@contextlib.contextmanager
def served_without_a_reader(starter: Nursery, folder: Path, *, events: int) -> Iterator[Service]:
    """A service whose log is a named pipe that nobody reads, after events that have landed.

    The buffer of the pipe is full after a few hundred lines.
    """
    write_orgs(folder)
    fifo = folder / "service.log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with served(starter, settings(folder, access_log="all")) as service:
            for number in range(events):
                assert send(service, number).status_code == 202
            service.wait_landed()
            yield service
    finally:
        os.close(reader)


def test_a_log_on_a_full_disk_and_one_without_a_reader_are_counted_by_every_process(
    tmp_path: Path, starter: Nursery
) -> None:
    write_orgs(tmp_path)
    (tmp_path / "service.log").symlink_to("/dev/full")
    with served(starter, settings(tmp_path, access_log="all"), workers=2) as service:
        for number in range(50):
            assert send(service, number).status_code == 202
        service.wait_landed()
        os.kill(service.pid, signal.SIGHUP)
        wait_until(lambda: service.metrics().get("log_entries_dropped_total", 0) >= 50)
        folder = service.config.journal / "counters"
        wait_until(lambda: {name.partition("-")[0] for name in droppers(folder)} >= {"sealer"})
        assert len(droppers(folder)) > 1
        assert send(service, 51).status_code == 202


def droppers(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if dict(CounterReader(file).items()).get(DROPPED)}


def test_a_sealer_that_dies_under_a_log_without_a_reader_is_replaced(tmp_path: Path, starter: Nursery) -> None:
    """Its traceback had to wait for the reader, so it never ended, and nothing landed."""
    with served_without_a_reader(starter, tmp_path, events=800) as service:
        found = [one for one in psutil.Process(service.pid).children() if "spawn_main" in " ".join(one.cmdline())]
        (sealer,) = [one for one in found if "resource_tracker" not in " ".join(one.cmdline())]
        sealer.kill()
        assert send(service, 801).status_code == 202
        service.wait_landed()


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
