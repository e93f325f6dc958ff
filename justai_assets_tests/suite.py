"""The whole suite as `make test` runs it: two processes, and an end in every case.

    python -m justai_assets_tests.suite
    python -m justai_assets_tests.suite live

What fails beside another process is tried once more alone: several tests hold real servers to deadlines. A worker that
dies or a run that hangs is no failed test, and what it never ran is not known to pass: then all of it runs once more.
What a dead worker leaves running is named and killed, so that nothing holds the caller's output open.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from contextlib import suppress

import psutil

LIVE = ("justai_assets_tests/e2e/test_daemon.py", "justai_assets_tests/e2e/test_browser.py")
"""Minutes each, and they want the machine to themselves: `make test-live`."""

ROUND_SECONDS = 15 * 60
FAILED_TESTS = 1
HUNG = 124
_PR_SET_CHILD_SUBREAPER = 36


def pytest(*arguments: str, seconds: float = ROUND_SECONDS) -> int:
    """Run pytest to its end or to the limit; returns its exit code, or HUNG. Nothing it started outlives it."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments])
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"no end within {seconds:.0f} s", file=sys.stderr)
        return HUNG
    finally:
        left = psutil.Process().children(recursive=True)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                print(f"left behind: {' '.join(one.cmdline())[:200]}", file=sys.stderr)
                one.kill()
        psutil.wait_procs(left, timeout=10)
        process.wait()


def adopt_orphans() -> None:
    """Make this process the parent of whatever loses its own, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def everything_but_live() -> int:
    """The suite; the exit code of its last round."""
    apart = [f"--ignore={path}" for path in LIVE]
    together = ["-n", "2", "--dist", "loadfile", "--max-worker-restart", "0", *apart]
    code = pytest(*together)
    if code not in {0, FAILED_TESTS}:
        print(f"the run itself ended with {code}; all of it once more", file=sys.stderr)
        code = pytest(*together)
    if code == FAILED_TESTS:
        code = pytest("--last-failed", "--last-failed-no-failures", "none", *apart)
    return code


if __name__ == "__main__":
    adopt_orphans()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    raise SystemExit(pytest(*LIVE) if sys.argv[1:] == ["live"] else everything_but_live())
