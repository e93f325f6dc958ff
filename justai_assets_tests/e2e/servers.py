"""Real servers for tests: PostgreSQL, and Dagster's own processes. Each ends with its block."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """A fresh cluster on a free port; the variables of deploy/dagster.yaml that lead to it."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = binaries[-1].parent
    # The server refuses to run as root; Debian's package brings the account.
    account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    home = Path(tempfile.mkdtemp(prefix="justai-postgres-"))
    password = secrets.token_hex(16)
    (home / "password").write_text(password, encoding="utf-8")
    if account:
        for path in (home, home / "password"):
            shutil.chown(path, "postgres", "postgres")
    port = free_port()
    data = home / "data"
    try:
        initialise = [
            "-D",
            str(data),
            "-U",
            "dagster",
            "-A",
            "scram-sha-256",
            f"--pwfile={home / 'password'}",
            "-E",
            "UTF8",
        ]
        _call([*account, str(folder / "initdb"), *initialise], home)
        # Durability of a throw-away cluster is worth nothing.
        options = f"-p {port} -k {home} -h 127.0.0.1 -c fsync=off -c full_page_writes=off"
        control = [*account, str(folder / "pg_ctl"), "-D", str(data), "-w"]
        _call([*control, "-l", str(home / "log"), "-o", options, "start"], home)
        try:
            yield {
                "DAGSTER_PG_HOST": "127.0.0.1",
                "DAGSTER_PG_PORT": str(port),
                "DAGSTER_PG_DB": "postgres",
                "DAGSTER_PG_USER": "dagster",
                "DAGSTER_PG_PASSWORD": password,
            }
        finally:
            _call([*control, "-m", "immediate", "stop"], home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def process(
    program: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of the environment, in a group of its own, which is ended with the block."""
    everything = {**os.environ, **environment, "PYTHONPATH": str(PROJECT), "DAGSTER_DISABLE_TELEMETRY": "1"}
    with log.open("wb") as output:
        running = subprocess.Popen(
            [str(BIN / program), *arguments],
            env=everything,
            cwd=PROJECT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield running
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                running.wait(10)
            # It may ignore the signal, and what it started may outlive it.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait(10)


def wait_for_port(port: int, running: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    """Return when something listens; fail with the log's end when the program ends or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"nothing listens on {port}:\n{log.read_text(errors='replace')[-3000:]}")


def _call(command: Sequence[str], cwd: Path) -> None:
    # Not captured: the server inherits the pipe and would keep it open.
    with (cwd / "called").open("ab") as output:
        done = subprocess.run(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, timeout=120, check=False)
    if done.returncode:
        pytest.fail(f"{command[-1]}: {(cwd / 'called').read_text(errors='replace')[-2000:]}")
