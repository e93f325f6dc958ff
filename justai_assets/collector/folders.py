"""The journal on disk: one folder a worker, locked while the worker lives.

    <journal>/lock                     held by the one collector that uses this journal
    <journal>/counters/<pid>.counts    see counters
    <journal>/workers/<name>/lock      held by the worker that writes here
    <journal>/workers/<name>/00000001.open     being written
    <journal>/workers/<name>/00000002.closed   complete; waits to be sealed
    <journal>/workers/<name>/00000002.rest     what is left of it, being written; takes its place when it is whole
    <journal>/damaged/                 segments with a damaged middle, kept for a look; what was readable is landed

A folder whose lock can be had belongs to a dead worker; whoever has the lock may take its segments over.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from justai_assets.collector.config import CollectorError

OPEN = ".open"
CLOSED = ".closed"
REST = ".rest"


def sync_folder(folder: Path) -> None:
    """Make names that were created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(file: Path) -> int | None:
    """The descriptor of a lock file that is now ours, or None when somebody alive holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock_journal(journal: Path, *, wait_seconds: float = 0.0) -> int:
    """Take a journal for one collector; the descriptor holds it until it is closed.

    Args:
        journal: the collector's journal folder.
        wait_seconds: how long to wait for a predecessor whose processes are still ending: they hold the journal too.

    Raises:
        CollectorError: another collector uses it, or the folder cannot be written.
    """
    try:
        for name in ("workers", "counters", "damaged"):
            (journal / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        deadline = time.monotonic() + wait_seconds
        while (descriptor := try_lock(journal / "lock")) is None and time.monotonic() < deadline:
            time.sleep(0.05)
    except OSError as error:
        raise CollectorError(
            f"the journal {journal} cannot be used: {type(error).__name__}", mend="name a folder that can be written"
        ) from None
    if descriptor is None:
        raise CollectorError(f"another collector uses the journal {journal}", mend="give each its own --journal")
    for making in (journal / "workers").glob(".*"):
        # A worker that died while it made its folder: nothing was ever written there.
        (making / "lock").unlink(missing_ok=True)
        making.rmdir()
    return descriptor


def create_worker_folder(journal: Path) -> tuple[Path, int]:
    """A new, locked folder for one worker, and the lock's descriptor.

    The folder gets its name only once it is locked, so that nobody takes it for a dead worker's.
    """
    workers = journal / "workers"
    workers.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        name = f"{time.time_ns():020d}-{os.getpid()}"
        making = workers / f".{name}"
        try:
            making.mkdir(mode=0o700)
        except FileExistsError:
            continue
        descriptor = try_lock(making / "lock")
        if descriptor is None:  # pragma: no cover - the name holds our process id
            continue
        making.rename(workers / name)
        sync_folder(workers)
        return workers / name, descriptor


def worker_folders(journal: Path) -> Iterator[Path]:
    """Every worker's folder, oldest first."""
    workers = journal / "workers"
    if workers.is_dir():
        yield from sorted(path for path in workers.iterdir() if path.is_dir() and not path.name.startswith("."))


def closed_segments(folder: Path) -> list[Path]:
    """The complete segments of a worker's folder, oldest first."""
    return sorted(path for path in folder.iterdir() if path.suffix == CLOSED)


def adopt(folder: Path) -> bool:
    """Close the segments of a dead worker; False when the worker lives.

    What the dead worker wrote and did not sync is synced first: sealing must read the same bytes however often it is
    repeated, also after a power cut in between.
    """
    descriptor = try_lock(folder / "lock")
    if descriptor is None:
        return False
    try:
        for path in sorted(folder.glob(f"*{OPEN}")):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.rename(path.with_suffix(CLOSED))
        sync_folder(folder)
        if not closed_segments(folder):
            for rest in folder.glob(f"*{REST}"):
                rest.unlink()
            (folder / "lock").unlink()
            folder.rmdir()
    finally:
        os.close(descriptor)
    return True


def backlog_bytes(journal: Path) -> int:
    """Bytes of the journal's segments that wait for the landing zone."""
    total = 0
    for folder in worker_folders(journal):
        for path in folder.glob("0*"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:  # sealed meanwhile
                continue
    return total
