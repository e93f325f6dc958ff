"""Folders that are dear to build: one process of the suite builds each, and the others copy it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def built_folder(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A copy of its own, for this process, of a folder that one process of the suite builds.

    Args:
        factory: pytest's fixture; it places the folder below what is the suite's own.
        name: of the folder: the same name is the same content in the whole suite.
        build: fills an empty folder. Nothing that it writes may depend on where the folder lies. If it raises, the next
            process that asks tries itself, so that each says why.
    """
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    done = place / f"built-{name}"
    with (place / f"built-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_dir():
            half = factory.mktemp(f"building-{name}")
            build(half)
            half.rename(done)
    own = factory.mktemp(name)
    shutil.copytree(done, own, dirs_exist_ok=True)
    return own
