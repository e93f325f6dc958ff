"""A log that cannot be written costs its lines, and nothing else."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from justai_assets.collector import logs
from justai_assets.collector.logs import LogWriter, access_sink, logger, writer
from justai_assets_tests.collector.disk import small_disk
from justai_assets_tests.collector.service import Nursery, landed, served, settings, write_orgs
from justai_assets_tests.collector.test_serve import send


def test_a_line_is_written_and_what_is_logged_is_json(capfd) -> None:
    logger().error("something", org="acme", count=3)
    assert writer().flush(5)
    entry = json.loads(capfd.readouterr().err)
    assert (entry["event"], entry["org"], entry["count"], entry["level"]) == ("something", "acme", 3, "error")


def test_what_json_cannot_hold_costs_the_value_and_not_the_line(capfd) -> None:
    logger().error("odd_name", path="landing/\udcff.zst", count=3)
    assert writer().flush(5)
    entry = json.loads(capfd.readouterr().err)
    assert (entry["event"], entry["path"]) == ("odd_name", r"landing/\udcff.zst")


def test_each_access_log_entry_is_a_line_of_the_queue(monkeypatch) -> None:
    _, descriptor = os.pipe()
    found = LogWriter(descriptor, limit=10)
    found.put(b"x" * (1 << 20))
    monkeypatch.setattr(logs, "writer", lambda: found)
    access_sink()([{"path": "/x", "number": number} for number in range(1_000)])
    assert found.dropped >= 980


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
    assert time.monotonic() - begun < 2
    assert found.dropped > 4_000
    assert not found.flush(0.05)


def test_a_process_with_a_stalled_log_ends() -> None:
    code = (
        "import os; r, w = os.pipe(); os.dup2(w, 2)\n"
        "from justai_assets.collector.logs import logger, writer\n"
        "for i in range(3000): logger().info('x', filler='y' * 100)\n"
        "writer().flush()"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_log_without_a_reader_stops_neither_answers_nor_landing_nor_the_end(tmp_path: Path, starter: Nursery) -> None:
    """The log is a named pipe that nobody reads: its buffer is full after a few hundred lines."""
    write_orgs(tmp_path)
    fifo = tmp_path / "service.log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with served(starter, settings(tmp_path, access_log="all")) as service:
            for number in range(1500):
                assert send(service, number).status_code == 202
            service.wait_landed()
            assert len(landed(tmp_path / "landing")) == 1500
    finally:
        os.close(reader)
