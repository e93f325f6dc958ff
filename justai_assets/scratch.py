"""Temporary folders for what may hold personal data: below one folder of our own, readable by its owner only.

A process that is killed removes nothing. So each folder has a lock beside it, held while it is used, and the first
folder that a process makes sweeps those whose owner is gone. A lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from justai_assets.contract.errors import StorageError

_LOCK = ".lock"
_swept: set[Path] = set()


def scratch_root() -> Path:
    """The folder below the system's temporary one that holds all of ours."""
    return Path(tempfile.gettempdir()) / f"justai-{os.getuid()}" / "scratch"


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A folder for the time of the block.

    Args:
        kind: what it is for, as part of its name: `intake`, `landing`.

    Raises:
        StorageError: somebody else's folder stands where ours should; what is made in it could be read by others.
    """
    root = scratch_root()
    for one in (root.parent, root):
        one.mkdir(mode=0o700, exist_ok=True)
        if one.is_symlink() or one.stat().st_uid != os.getuid():
            raise StorageError(f"{one} belongs to somebody else", mend="remove it, or set TMPDIR to a folder of yours")
        one.chmod(0o700)
    with _alone(root):
        _sweep(root)
        folder = tempfile.mkdtemp(prefix=f"{kind}-", dir=root)
        lock = os.open(f"{folder}{_LOCK}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(f"{folder}{_LOCK}").unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else makes or sweeps a folder meanwhile."""
    descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(root: Path) -> None:
    """Remove the folders of processes that are gone; once a process."""
    if root in _swept:
        return
    _swept.add(root)
    for name in {one.name.removesuffix(_LOCK) for one in root.iterdir()}:
        folder, path = root / name, root / f"{name}{_LOCK}"
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                path.unlink(missing_ok=True)
        finally:
            os.close(lock)
