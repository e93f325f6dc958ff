"""How much the engine holds at once: buckets and resident bytes, from a memory budget and the number of rows."""

from __future__ import annotations

from dataclasses import dataclass

_BUCKET_ROWS = 200_000
"""Records of a bucket at which its sort and search stay in cache; measured in docs/performance.md."""
_RESIDENT = 256 << 20
"""Records kept in memory before they go to disk. More does not make it faster: the spill is written and read once,
in whole megabytes, mostly from the page cache."""


@dataclass(frozen=True)
class Limits:
    """How the work is cut.

    Attributes:
        buckets: parts that the persons are split into, a power of two, 1 … 32768.
        resident: bytes of compact records held in memory before they spill to disk.
        chunk_rows: rows with their strings that are held at once.
        workers: buckets matched at the same time.
        copy_rows: row groups of at least so many rows on average are passed through as they are.
    """

    buckets: int = 1
    resident: int = _RESIDENT
    chunk_rows: int = 1_000_000
    workers: int = 1
    copy_rows: int = 20_000

    @classmethod
    def of(cls, rows: int, memory_budget: int | None = None) -> Limits:
        """For about `rows` input rows and at most `memory_budget` bytes (default: a quarter of the machine).

        The budget covers what the engine holds, not the interpreter and its libraries (about 200 MB). Below about
        256 MB it is a wish: reading Parquet needs room for the row groups in flight.
        """
        import os

        import psutil

        budget = memory_budget or psutil.virtual_memory().total // 4
        workers = max(1, min(os.cpu_count() or 1, 8, budget // (128 << 20)))
        buckets = 1
        while buckets < 32_768 and (rows / buckets > _BUCKET_ROWS or rows / buckets * 160 * workers > budget):
            buckets *= 2
        return cls(
            buckets=buckets,
            resident=max(1 << 20, min(_RESIDENT, budget // 8)),
            chunk_rows=max(50_000, min(1_000_000, budget // 1_000)),
            workers=workers,
        )
