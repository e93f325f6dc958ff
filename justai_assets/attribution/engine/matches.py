"""Which send each event got: found bucket by bucket, kept in the order of the sends' rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from justai_assets.attribution.engine.latest_sends import Latest, latest
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.engine.record_buckets import Buckets, Records
from justai_assets.attribution.rule import Rule

MATCH: Final = np.dtype([("at", "<i8"), ("ts", "<i8"), ("tag", "<i8")])
"""`at`: the send's row in the input, or the tie that decides it; `ts` and `tag`: what the caller wants back."""
TIED: Final = np.iinfo(np.int64).min
"""The `ts` of a record that is no match but a send of a tie; its `tag` is the tie."""
WAITING_PARTS: Final = 64
_STRETCH = 1 << 22


@dataclass(frozen=True)
class Judged:
    """The matches of one bucket that count; arrays of one length, and the ties as in `Latest`."""

    at: npt.NDArray[np.int64]
    ts: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    tie: npt.NDArray[np.int64]
    tied_at: npt.NDArray[np.int64]
    tied_in: npt.NDArray[np.int64]


_Verdict = TypeVar("_Verdict")


@dataclass(frozen=True)
class Found:
    """Matches as columns; see MATCH."""

    at: npt.NDArray[np.int64]
    ts: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many."""
        return len(self.at)

    def __getitem__(self, which: slice | npt.NDArray[Any]) -> Found:
        """Those of a slice or a mask."""
        return Found(self.at[which], self.ts[which], self.tag[which])

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("at", "ts", "tag")))


class Matches:
    """Matches by the row of their send, so that one pass over the input in its order can fetch the sends' text.

    Events whose send is one of several at the same microsecond wait by the number of their tie.
    """

    def __init__(self, rows: int, folder: Path, limits: Limits) -> None:
        self._width = max(_STRETCH, -(-rows // 65_000))
        self._store = Buckets(MATCH, folder / "matches", resident=limits.resident)
        self.waiting = Buckets(MATCH, folder / "waiting", resident=limits.resident)
        self._counts = np.zeros(rows // self._width + 1, np.int64)
        self._ties = 0
        self._ready = Found(*(np.empty(0, np.int64),) * 3)
        self._next = 0
        self.rows = 0

    def add(self, judged: Judged) -> None:
        """The matches of one bucket."""
        alone = judged.tie == 0
        self._put(judged.at[alone], judged.ts[alone], judged.tag[alone])
        self.rows += len(judged.at)
        if alone.all():
            return
        used = np.isin(judged.tied_in, judged.tie)
        tied_at, tied_in = judged.tied_at[used], judged.tied_in[used] + self._ties
        self._put(tied_at, np.full(len(tied_at), TIED), tied_in)
        tie = judged.tie[~alone] + self._ties
        columns = {"at": tie, "ts": judged.ts[~alone], "tag": judged.tag[~alone]}
        self.waiting.append((tie % WAITING_PARTS).astype(np.uint16), columns)
        self._ties += int(judged.tied_in[-1])

    def _put(self, at: npt.NDArray[np.int64], ts: npt.NDArray[np.int64], tag: npt.NDArray[np.int64]) -> None:
        stretch = at // self._width
        self._counts += np.bincount(stretch, minlength=len(self._counts))
        self._store.append(stretch.astype(np.uint16), {"at": at, "ts": ts, "tag": tag})

    def any_between(self, start: int, end: int) -> bool:
        """Whether a send in about these rows is wanted: never False when one is."""
        return end > start and bool(self._counts[start // self._width : (end - 1) // self._width + 1].any())

    def before(self, row: int) -> Found:
        """The matches of sends below `row` that were not given before, in the order of the rows; each only once."""
        loaded = [self._ready]
        while self._next < len(self._counts) and self._next * self._width < row:
            records = self._store.read(self._next)
            order = np.argsort(records["at"])
            records = records.take(order)
            loaded.append(Found(*(np.ascontiguousarray(records[name]) for name in ("at", "ts", "tag"))))
            self._next += 1
        ready = Found.joined(loaded) if len(loaded) > 1 else self._ready
        cut = int(np.searchsorted(ready.at, row))
        self._ready = ready[cut:]
        return ready[:cut]


def match(
    sends: Buckets, events: Buckets, rule: Rule, limits: Limits, judge: Callable[[Records, Records, Latest], _Verdict]
) -> Iterator[_Verdict]:
    """What `judge` makes of every bucket's sends, events and matches, a few buckets at a time; records are given up.

    Raises:
        KeyCollisionError: see `latest`.
    """
    bits = limits.buckets.bit_length() - 1

    def one(bucket: int) -> _Verdict:
        happened = events.read(bucket)
        sent = sends.read(bucket)
        return judge(sent, happened, latest(sent, happened, rule, known_bits=bits))

    with ThreadPoolExecutor(limits.workers) as pool:
        running: deque[Future[_Verdict]] = deque()
        try:
            for bucket in range(limits.buckets):
                running.append(pool.submit(one, bucket))
                if len(running) > limits.workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
