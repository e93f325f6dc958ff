"""kill -9 under load: what was acknowledged is in the landing zone exactly once."""

import os
from pathlib import Path

import pytest

from justai_assets_tests.attack.kill import survive
from justai_assets_tests.serving.service import settings

CYCLES = int(os.environ.get("JUSTAI_CRASH_CYCLES", "25"))


@pytest.mark.slow
def test_every_acknowledged_event_survives_kill_9_exactly_once(tmp_path: Path) -> None:
    found = survive(settings(tmp_path), CYCLES, seed=20260105)
    assert found.acknowledged > 20 * CYCLES, "the load was too small to mean anything"
    assert (found.lost, found.twice, found.harmed) == (0, 0, 0)
    assert found.ways["worker"]
    assert found.ways["sealer"]
