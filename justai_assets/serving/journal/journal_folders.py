"""The journal on disk: one folder a worker, locked while the worker lives.

    <journal>/lock                     held by the one collector that uses this journal
    <journal>/sealer.lock              held by the one process that seals
    <journal>/sealer.work              the segment being sealed, while it is, and how often sealers died of which
    <journal>/counters/<pid>.counts    see counters
    <journal>/workers/<name>/lock      held by the worker that writes here
    <journal>/workers/<name>/00000001.open     being written
    <journal>/workers/<name>/00000002.closed   closed by its worker, with an end record; waits to be sealed
    <journal>/workers/<name>/00000003.adopted  left by a worker that died, closed by somebody else; waits as well
    <journal>/workers/<name>/00000002.<token>.rest   what is left of a segment, being written; then takes its place
    <journal>/damaged/                 segments that are not whole, kept for a look; what was readable is landed

A folder whose lock can be had belongs to a dead worker; whoever has the lock may take its segments over. What is no
regular file, or no folder where a folder is due, is not ours, whatever its name: it is left alone and holds up nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from justai_assets.serving.collector_config import CollectorError

OPEN = ".open"
CLOSED = ".closed"
ADOPTED = ".adopted"
REST = ".rest"


def sync_folder(folder: Path) -> None:
    """Make names that were created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(file: Path) -> int | None:
    """The descriptor of a lock file that is now ours, or None when somebody alive holds it.

    Raises:
        OSError: it cannot be opened, or is no regular file: nobody would know by it who is alive.
    """
    descriptor = open_regular(file, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def open_regular(file: Path, flags: int) -> int:
    """The descriptor of a regular file; OSError for anything else, without waiting for a pipe's other end."""
    descriptor = os.open(file, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(file))
    return descriptor


def regular_files(folder: Path, *suffixes: str) -> list[Path]:
    """The regular files of a folder whose names end so, sorted; links, pipes and folders are none."""
    with os.scandir(folder) as entries:
        found = [one.name for one in entries if one.name.endswith(suffixes) and one.is_file(follow_symlinks=False)]
    return [folder / name for name in sorted(found)]


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
        # The sealer's lock cannot be had either: that is said now, and not by a sealer that dies again and again.
        os.close(open_regular(journal / "sealer.lock", os.O_RDWR | os.O_CREAT))
        if (journal / "sealer.work").is_dir():
            raise IsADirectoryError(errno.EISDIR, "deaths could not be noted", "sealer.work")
    except OSError as error:
        raise CollectorError(
            f"the journal {journal} cannot be used: {type(error).__name__}", mend="name a folder that can be written"
        ) from None
    if descriptor is None:
        raise CollectorError(f"another collector uses the journal {journal}", mend="give each its own --journal")
    for making in (journal / "workers").glob(".*"):
        # A worker that died while it made its folder: nothing was ever written there. What else lies there is not ours.
        if making.is_dir():
            with suppress(OSError):
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
        with os.scandir(workers) as entries:
            found = [one.name for one in entries if one.is_dir(follow_symlinks=False) and not one.name.startswith(".")]
        yield from (workers / name for name in sorted(found))


def closed_segments(folder: Path) -> list[Path]:
    """The segments of a worker's folder that wait to be sealed, oldest first."""
    return sorted(regular_files(folder, CLOSED, ADOPTED))


def adopt(folder: Path) -> bool:
    """Take over the segments of a dead worker; False when the worker lives.

    What the dead worker wrote and did not sync is synced first: sealing must read the same bytes however often it is
    repeated, also after a power cut in between. An adopted segment is named so, because nothing says where it ends. A
    folder without segments goes away, unless something lies there that is not ours.

    Raises:
        OSError: the first error of a segment; the others are taken over all the same. Or the lock cannot be tried.
    """
    descriptor = try_lock(folder / "lock")
    if descriptor is None:
        return False
    errors: list[OSError] = []
    try:
        for path in regular_files(folder, OPEN):
            try:
                _take_over(path)
            except OSError as error:
                errors.append(error)
        sync_folder(folder)
        if not errors and not closed_segments(folder):
            for rest in regular_files(folder, REST):
                rest.unlink()
            if {path.name for path in folder.iterdir()} <= {"lock"}:
                (folder / "lock").unlink(missing_ok=True)
                folder.rmdir()
    finally:
        os.close(descriptor)
    if errors:
        raise errors[0]
    return True


def _take_over(path: Path) -> None:
    descriptor = open_regular(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.rename(path.with_suffix(ADOPTED))


def waiting_segments(journal: Path) -> tuple[int, float | None]:
    """Bytes of the journal's segments that wait for the landing zone, and since when the oldest complete one does.

    The time is a Unix time; None when no complete segment waits. A folder or file that cannot be looked at is left out.
    """
    total, oldest = 0, None
    for folder in worker_folders(journal):
        with suppress(OSError):
            for path in regular_files(folder, OPEN, CLOSED, ADOPTED, REST):
                try:
                    found = path.stat()
                except FileNotFoundError:  # sealed meanwhile
                    continue
                total += found.st_size
                if path.suffix in {CLOSED, ADOPTED}:
                    oldest = found.st_mtime if oldest is None else min(oldest, found.st_mtime)
    return total, oldest
