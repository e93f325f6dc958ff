"""The DuckDB file of the marts: one writer at a time, whatever Dagster is told, and published whole or not at all."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from justai_assets.contract.errors import JustAIError

WAIT = "JUSTAI_MARTS_WAIT_SECONDS"
WAIT_SECONDS = 1800.0
_POLL_SECONDS = 1.0


class MartsBusyError(JustAIError):
    """Another run writes the marts."""

    code = "marts_busy"
    transient = True


@contextmanager
def replacing(marts: Path, say: Callable[[str], None], *, wait_seconds: float | None = None) -> Iterator[Path]:
    """A copy of the file to write into; the block's end without an error puts it in the file's place.

    A run that fails or dies leaves the file as it was, and a reader keeps the file that it has opened. The lock is on
    a file beside it and ends with the process that holds it.

    Args:
        marts: the DuckDB file; it need not exist.
        say: told once when another run holds the lock.
        wait_seconds: how long to wait for the lock; JUSTAI_MARTS_WAIT_SECONDS, or half an hour.

    Raises:
        MartsBusyError: another run held the lock all the time.
    """
    limit = float(os.environ.get(WAIT) or WAIT_SECONDS) if wait_seconds is None else wait_seconds
    marts.parent.mkdir(parents=True, exist_ok=True)
    with marts.with_name(f"{marts.name}.lock").open("a+") as lock:
        _hold(lock.fileno(), marts, say, limit)
        # A folder, because DuckDB names the catalog after the file.
        building = marts.with_name(f".{marts.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        try:
            copy = building / marts.name
            if marts.exists():
                shutil.copyfile(marts, copy)
            yield copy
            if copy.exists():
                # What DuckDB has not yet put into the file would stay behind with the folder.
                if copy.with_name(f"{copy.name}.wal").exists():
                    raise JustAIError(
                        f"{copy} was not closed; the marts stay as they were",
                        code="marts_not_closed",
                        mend="build them again",
                    )
                copy.replace(marts)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _hold(descriptor: int, marts: Path, say: Callable[[str], None], limit: float) -> None:
    deadline = time.monotonic() + limit
    is_said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise MartsBusyError(
                    f"{marts} has been written by another run for {limit:.0f} s",
                    mend=f"wait for that run, or set {WAIT} to a longer time",
                ) from None
            if not is_said:
                say(f"waiting for another run that writes {marts}, {limit:.0f} s at most")
                is_said = True
            time.sleep(_POLL_SECONDS)
        else:
            return
