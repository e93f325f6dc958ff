"""From rows of text to compact records by bucket: the first passes of the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.attribution.limits import Limits
from justai_assets.attribution.spill import Buckets

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
