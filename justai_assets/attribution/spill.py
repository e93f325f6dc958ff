"""Compact records kept by bucket: in memory while they fit, else on disk, gone when the work ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from justai_assets.attempts import attempts

Records = npt.NDArray[np.void]


class Buckets:
    """Fixed-width records, appended in any order, read bucket by bucket.

    The order within a bucket is the order of appending. At most `resident` bytes and one batch stay in memory; the
    rest lies in one file a bucket below `folder`, in the machine's own byte order: it never outlives the process.
    """

    def __init__(self, dtype: np.dtype[np.void], folder: Path, *, resident: int) -> None:
        self._dtype = dtype
        self._folder = folder
        self._resident = resident
        self._parts: dict[int, list[Records]] = {}
        self._held = 0
        self.rows = 0
        self.spilled = 0

    def append(self, bucket: npt.NDArray[np.uint16], columns: dict[str, npt.NDArray[Any]]) -> None:
        """Add one batch: the bucket of each record and the records' fields."""
        if not len(bucket):
            return
        order = np.argsort(bucket, kind="stable")  # a radix sort for 16 bits: linear
        records = np.empty(len(order), self._dtype)
        for name, values in columns.items():
            records[name] = values
        records = records.take(order)  # whole records: one cache miss for each, not one for each field
        ends = np.cumsum(np.bincount(bucket)).tolist()
        start = 0
        for one, end in enumerate(ends):
            if end > start:
                self._parts.setdefault(one, []).append(records[start:end])
                start = end
        self.rows += len(order)
        self._held += records.nbytes
        if self._held > self._resident:
            self._flush()

    def read(self, bucket: int, *, drop: bool = True) -> Records:
        """The records of a bucket; with `drop`, they are given up here."""
        parts = self._parts.pop(bucket, []) if drop else self._parts.get(bucket, [])
        path = self._folder / str(bucket)
        if path.exists():
            parts = [np.fromfile(path, self._dtype), *parts]
            if drop:
                path.unlink()
        return np.concatenate(parts) if parts else np.empty(0, self._dtype)

    def _flush(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for bucket, parts in self._parts.items():
            with (self._folder / str(bucket)).open("ab") as file:
                for part in parts:
                    file.write(part.data)
        self._parts.clear()
        self.spilled += self._held
        self._held = 0


REMOVALS = 9
"""Of one folder: about two seconds in all."""


@contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """A folder for the time of the block, removed also when it fails; in `beside`, or where the system keeps such."""
    folder = Path(tempfile.mkdtemp(prefix=".justai-spill-", dir=beside))
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder and all it holds.

    A Polars sink that failed may still be creating its file when its error arrives, just after the folder was listed:
    the removal is tried again for about two seconds before the error is let through.
    """
    for attempt in attempts(OSError, REMOVALS, first_wait=0.01, longest_wait=1.0):
        with attempt:
            if folder.exists():
                shutil.rmtree(folder)
