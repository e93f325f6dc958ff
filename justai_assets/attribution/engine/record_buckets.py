"""Rows of text as compact records by bucket: in memory while they fit, else on disk, gone when the work ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.attempts import attempts
from justai_assets.attribution.engine.memory_limits import Limits

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


_SEEN_MOST = 1 << 26


class People:
    """Who has a custom event, roughly: a send of anybody else is left out before it costs anything.

    A bit array by key, a byte a slot: it never misses a person, and lets through about one stranger in ten.
    """

    def __init__(self, events: int) -> None:
        size = 1 << max(10, min(_SEEN_MOST.bit_length() - 1, (events * 8).bit_length()))
        self._mask = np.uint64(size - 1)
        self._seen = np.zeros(size, np.bool_)

    def add(self, keys: npt.NDArray[np.uint64]) -> None:
        """These have one."""
        self._seen[keys & self._mask] = True

    def positions(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Where in `keys` somebody stands who may have one."""
        return np.flatnonzero(self._seen[keys & self._mask])


@dataclass
class Filled:
    """What passed: rows seen, those of them without a key, and the earliest and latest time of the rest."""

    rows: int = 0
    keyless: int = 0
    earliest: int | None = None
    latest: int | None = None

    def widen(self, times: npt.NDArray[np.int64]) -> None:
        """Take these times in."""
        if len(times):
            low, high = int(times.min()), int(times.max())
            self.earliest = low if self.earliest is None else min(self.earliest, low)
            self.latest = high if self.latest is None else max(self.latest, high)


def fill(
    store: Buckets, frame: pl.LazyFrame, limits: Limits, *, add: People | None = None, only: People | None = None,
    offset: int = 0, into: Filled | None = None,
) -> Filled:  # fmt: skip
    """Stream a frame into a store, bucketed by key.

    Args:
        store: takes the fields key, check and ts, and `at` or `tag`, as the frame has them.
        frame: those columns; key null for nobody, ts in microseconds.
        limits: buckets and chunk size.
        add: gets the keys.
        only: rows of others are left out.
        offset: added to `at`: rows before this frame.
        into: goes on counting here.
    """
    filled = into or Filled()
    for batch in frame.collect_batches(chunk_size=limits.chunk_rows, maintain_order=False):
        keyed = batch.drop_nulls("key")
        filled.rows += len(batch)
        filled.keyless += len(batch) - len(keyed)
        columns = {column.name: column.to_numpy() for column in keyed.iter_columns()}
        if only is not None:
            positions = only.positions(columns["key"])
            columns = {name: values[positions] for name, values in columns.items()}
        if add is not None:
            add.add(columns["key"])
        if offset:
            columns["at"] = columns["at"] + offset
        filled.widen(columns["ts"])
        store.append(bucket_of(columns["key"], limits.buckets), columns)
    return filled


def bucket_of(keys: npt.NDArray[np.uint64], buckets: int) -> npt.NDArray[np.uint16]:
    """The leading bits of the key."""
    bits = buckets.bit_length() - 1
    if not bits:
        return np.zeros(len(keys), np.uint16)
    return (keys >> np.uint64(64 - bits)).astype(np.uint16)
