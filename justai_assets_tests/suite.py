"""The suite as make runs it: in several processes, then the serial tests alone, and an end in every case.

    python -m justai_assets_tests.suite                 what `make test` runs
    python -m justai_assets_tests.suite live            the daemon and the browser: minutes each
    python -m justai_assets_tests.suite random 30       property tests with new seeds, for 30 minutes

No test runs twice. A worker that dies fails the run. The whole has `SUITE_SECONDS`; the tests that run at that moment
are then named. What the tests leave running is named and killed, so that nothing holds the caller's output open.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

TESTS = Path(__file__).parent
LIVE = ("e2e/test_daemon.py", "e2e/test_browser.py")
"""Minutes each, and they want the machine to themselves: `make test-live`."""

WORKERS = min(8, (os.cpu_count() or 1) + 1)
"""Processes: one more than cores, because a fifth of the time a test waits for what it started."""

SUITE_SECONDS = 20 * 60
LAST_WORDS_SECONDS = 30
FAILED_TESTS = 1
HUNG = 124
_STEP_SECONDS = 0.2
_OWN_LOAD = 1
"""Load average, above one a core, that the suite makes itself: its controller and the servers that tests start."""
_PR_SET_CHILD_SUBREAPER = 36


class Allowance:
    """Seconds that are left. On a machine with other work, a second counts for the part that the suite can have."""

    def __init__(self, seconds: float, *, load: float | None = None) -> None:
        self.seconds = self.left = seconds
        self._load = load

    def spend(self, seconds: float) -> None:
        """Take seconds off: all of them at a load average of a core and one more, half at twice this load."""
        load = os.getloadavg()[0] if self._load is None else self._load
        self.left -= seconds / max(1.0, (load - _OWN_LOAD) / (os.cpu_count() or 1))


def pytest(*arguments: str, allowance: Allowance) -> int:
    """Run pytest to its end or until the allowance is spent.

    Returns:
        Its exit code, or HUNG. Nothing that it started outlives it.
    """
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments])
    try:
        while process.poll() is None:
            if allowance.left <= 0:
                print(
                    f"STOPPED: the suite may take {allowance.seconds / 60:.3g} minutes, and they are over", flush=True
                )
                process.send_signal(signal.SIGINT)  # pytest then reports what failed and what runs
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_WORDS_SECONDS)
                return HUNG
            _bury_orphans(process.pid)
            time.sleep(_STEP_SECONDS)
            allowance.spend(_STEP_SECONDS)
        return process.returncode
    finally:
        left = psutil.Process().children(recursive=True)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                print(f"left behind: {' '.join(one.cmdline())[:200]}", file=sys.stderr)
                one.kill()
        psutil.wait_procs(left, timeout=10)
        process.wait()


def _bury_orphans(own: int) -> None:
    """Collect adopted processes that have ended: to the tests a zombie still looks alive."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid != own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def adopt_orphans() -> None:
    """Make this process the parent of whatever loses its own, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def files_that_say(*words: str) -> list[str]:
    """Test files with one of these words, so that a round of few tests does not import all of them."""
    found = (file for file in sorted(TESTS.rglob("test_*.py")) if file.relative_to(TESTS).as_posix() not in LIVE)
    return [str(file) for file in found if any(word in file.read_text(encoding="utf-8") for word in words)]


def everything_but_live() -> int:
    """Run the parallel part, then, if it came to its end, the serial part; returns 0 if both pass."""
    allowance = Allowance(SUITE_SECONDS)
    apart = [f"--ignore={TESTS / path}" for path in LIVE]
    beside = [
        "-n",
        str(WORKERS),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "--max-worker-restart",
        "0",
        "--durations",
        "25",
    ]
    code = pytest("-m", "not serial", *beside, *apart, str(TESTS), allowance=allowance)
    serial = files_that_say("mark.serial")
    if code not in {0, FAILED_TESTS} or not serial:
        return code
    return pytest("-m", "serial", *serial, allowance=allowance) or code


def random(seconds: float) -> int:
    """Run the property tests with one new seed after the other, until the time is over.

    Hypothesis prints each example that fails; keep it with `@example` in the test.

    Returns:
        0, or FAILED_TESTS if any seed found a failing example.
    """
    until = time.monotonic() + seconds
    found: list[str] = []
    files = files_that_say("hypothesis")
    while time.monotonic() < until:
        seed = str(secrets.randbelow(2**32))
        together = ["-n", str(WORKERS), "-m", "hypothesis", "--hypothesis-profile", "random", "--hypothesis-seed", seed]
        left = Allowance(max(SUITE_SECONDS, until - time.monotonic()))
        if pytest("-q", *together, "--max-worker-restart", "0", *files, allowance=left):
            found.append(seed)
        print(f"seed {seed} is done; seeds that found something: {', '.join(found) or 'none'}", flush=True)
    return FAILED_TESTS if found else 0


def main(arguments: list[str]) -> int:
    """Run what the command line names; returns the exit code."""
    adopt_orphans()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    match arguments:
        case []:
            return everything_but_live()
        case ["live"]:
            return pytest(*(str(TESTS / path) for path in LIVE), allowance=Allowance(60 * 60))
        case ["random", minutes]:
            return random(float(minutes) * 60)
    print(__doc__)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
