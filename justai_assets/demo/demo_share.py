"""The demo's third org: it writes nothing to us, and shares a Delta table over the Delta Sharing protocol."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

from justai_assets.contract.errors import JustAIError
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.drop_files import unified_frame
from justai_assets.demo.happenings import Happening
from justai_assets.demo.sample_orgs import SHARED_TABLE

SERVER = "justai_assets.testing.share_server"
START_SECONDS = 30.0


def write_shared_table(place: DemoPlace, events: Iterable[Happening]) -> None:
    """Write the customer's table, partitioned by day as it would be on the customer's side."""
    frame = unified_frame(events).with_columns(pl.col("event_timestamp").dt.date().alias("event_date"))
    write_deltalake(str(place.shared), frame.to_arrow(), partition_by=["event_date"])


def serve(place: DemoPlace) -> subprocess.Popen[bytes]:
    """Serve the table as long as this process lives, also when the process becomes another program (exec).

    The credential file is where the org file says, and names the server's port: each start picks a free one.
    """
    profile = place.secret_file("initech.share")
    profile.unlink(missing_ok=True)
    command = [sys.executable, "-m", SERVER, "--port", "0", "--table", f"{SHARED_TABLE}={place.shared}"]
    server = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*command, "--profile-out", str(profile), "--parent", str(os.getpid())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A Ctrl-C is for the program beside it, which may still need the table while it ends.
        start_new_session=True,
    )
    _wait_for(profile, server)
    return server


@contextmanager
def shared(place: DemoPlace) -> Iterator[None]:
    """Serve the table while the block runs."""
    server = serve(place)
    try:
        yield
    finally:
        # It keeps nothing: there is no tidy end to wait for.
        server.kill()
        server.wait()


def _wait_for(profile: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not profile.exists() or not profile.stat().st_size:
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            server.wait()
            raise JustAIError("the demo's share server did not start", code="demo_share", mend="run the demo again")
        time.sleep(0.05)
