"""What a week costs in memory, measured as the system measures it: the peak of a process that does nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks import webhooks

FIRST = date(2026, 1, 5)
EVENTS = 8_000
"""Of webhooks and as many of a drop, each day. With a million each, the peak is in docs/performance.md."""

PEAK_MB = 800
"""Below 2 GB by far: what the events themselves take is bounded, and at this size most of it is the libraries."""

CHILD = """
import re, sys
from pathlib import Path
from justai_assets.cli import run
code = run(sys.argv[1:])
# Of this program alone: getrusage would give the peak of the process that started it, where that was larger.
print("peak MB", int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024, file=sys.stderr)
sys.exit(code)
"""


def test_a_week_is_materialized_within_the_memory_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for offset in range(7):
        monkeypatch.setattr(webhooks, "DAY", FIRST + timedelta(offset))
        monkeypatch.setattr(webhooks, "SEED", webhooks.SEED + offset)
        landed = webhooks.land_webhooks(tmp_path / "generated", EVENTS, drop=True)
        shutil.copytree(landed.root, tmp_path / "landing", dirs_exist_ok=True)
    environment = {
        **os.environ,
        "JUSTAI_LANDING": str(tmp_path / "landing"),
        "JUSTAI_LAKE": str(tmp_path / "lake"),
        "JUSTAI_ORGS_DIR": str(landed.orgs),
    }
    days = ("--from", str(FIRST), "--to", str(FIRST + timedelta(6)))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "materialize", "--org", webhooks.SLUG, *days],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{7 * EVENTS:,}" in done.stdout
    peak = int(done.stderr.rpartition("peak MB ")[2])
    assert 100 < peak < PEAK_MB, peak
