from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from justai_assets_tests.conftest import WORKER_DIED
from justai_assets_tests.suite import HUNG

ROUND = "import sys; from justai_assets_tests import suite; suite.adopt_orphans(); "


def test_a_run_that_hangs_ends_and_takes_what_it_started_along(tmp_path: Path) -> None:
    test = tmp_path / "test_hangs.py"
    test.write_text(
        "import subprocess, time\n"
        "def test_it():\n"
        f"    left = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))\n"
        "    time.sleep(300)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", ROUND + f"sys.exit(suite.pytest({str(test)!r}, '-p', 'no:cacheprovider', seconds=10))"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == HUNG
    assert "left behind: sleep 300" in done.stderr
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_run_that_lost_a_worker_does_not_end_like_one_with_a_failed_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from justai_assets_tests.conftest import pytest_sessionfinish, pytest_testnodedown\n"
    )
    (tmp_path / "test_dies.py").write_text("import os\ndef test_it():\n    os.kill(os.getpid(), 9)\n")
    (tmp_path / "test_fine.py").write_text("def test_it():\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--max-worker-restart", "0", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == WORKER_DIED, done.stdout
