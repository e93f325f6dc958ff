"""A run that is killed, at any moment, is as if it had not been started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Mirrored, events, ordered, replace_day, write

RUN = """
import sys
from pathlib import Path
from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.step import Target
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.storage import Root
folder = Path(sys.argv[1])
target = Target(Lake(Root.parse(str(folder / "lake"))), "acme", folder / "work", {})
with ShareClient(Profile.parse(sys.stdin.read())) as client:
    for step in mirror(client, TableName.parse("main.events.unified"), target, None, batch_bytes=int(sys.argv[2])):
        (folder / "state.json").write_text(step.state.to_json())
"""


@pytest.mark.slow
@pytest.mark.parametrize("batch_bytes", [1, 1 << 30])
def test_a_killed_run_leaves_what_was_there_and_what_arrived_is_not_fetched_again(
    mirrored: Mirrored, batch_bytes: int
) -> None:
    from justai_assets.sources.delta_share.mirror_state import MirrorState

    write(mirrored.source, pl.concat([events(D3 + timedelta(days=1 + one)) for one in range(7)]))
    mirrored.server.break_("files", "slow", skip=5, seconds=60)
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(mirrored.folder), str(batch_bytes)], stdin=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    child.stdin.write(mirrored.server.profile())
    child.stdin.close()
    for _ in range(600):
        time.sleep(0.05)
        if len(mirrored.server.asked("files")) >= 6:
            break
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    on_disk = len(list((mirrored.target.work / "files").glob("*.parquet")))
    visible = mirrored.rows()
    kept = mirrored.folder / "state.json"
    mirrored.state = MirrorState.from_json(kept.read_text()) if kept.exists() else None
    assert (visible.height > 0) == (mirrored.state is not None)
    assert set(visible["event_date"]) == (set(mirrored.state.days) if mirrored.state else set())
    mirrored.server.faults.clear()
    mirrored.server.requests.clear()
    mirrored.run()
    source = [events(day) for day in (D1, D2, D3)] + [events(D3 + timedelta(days=1 + one)) for one in range(7)]
    assert_frame_equal(mirrored.rows(), ordered(pl.concat(source)))
    done = len(mirrored.state.days) if mirrored.state else 0
    assert done == 10
    committed = visible["event_date"].n_unique()
    assert len(mirrored.server.asked("files")) <= 10 - max(on_disk, committed)


def test_a_commit_that_was_never_reported_is_made_and_reported_again_with_the_same_rows(mirrored: Mirrored) -> None:
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    before = mirrored.state
    mirrored.run()
    once = mirrored.rows()
    mirrored.state = before
    mirrored.run()
    assert mirrored.written() == [D2]
    assert_frame_equal(mirrored.rows(), once)
