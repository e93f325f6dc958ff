"""Where a mirror's state is kept: one small object beside the org's tables, replaced whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.errors import BusyShareError
from justai_assets.sources.delta_share.state import MirrorState


def state_key(lake: Lake, slug: str) -> str:
    """The object's key below the lake root."""
    return f"{lake.key(slug, DELTA_SHARE)}.state.json"


def kept_state(lake: Lake, slug: str) -> MirrorState | None:
    """What the last run kept, or None when none did; StateError when it cannot be read."""
    try:
        text = lake.root.read(state_key(lake, slug)).decode()
    except FileNotFoundError:
        return None
    return MirrorState.from_json(text)


def keep(lake: Lake, slug: str, state: MirrorState) -> None:
    """Keep a state for the next run."""
    lake.root.write(state_key(lake, slug), state.to_json().encode())


def _make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def sole_user(work: Path) -> Iterator[Path]:
    """The work folder, for this run alone; BusyShareError when another run of this machine is using it."""
    import fcntl

    _make_private(work.parent)
    with work.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyShareError("another run is mirroring this share", mend="it is retried") from None
        # The lock ends with the file, also when the process is killed.
        yield work
