"""The distinct pairs of keys that events link, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from justai_assets.attribution.compact import bucket_of
from justai_assets.attribution.spill import Buckets, scratch

_CHECKS: Final = [("email_check", "<u4"), ("user_check", "<u4")]
_MET: Final = np.dtype([("email", "<u8"), ("user", "<u8"), *_CHECKS])
_PAIR: Final = np.dtype([*_MET.descr, ("alone", "?")])
_BUCKETS: Final = 64
_AT_ONCE: Final = 1_000_000
"""Pairs at once, with their repetitions: below this there is one bucket."""
_RESIDENT: Final = 64 << 20


def split_pairs(links: pl.LazyFrame, spill: Path | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The distinct pairs: those that share no key with another pair, and the rest.

    Nearly every email has one user id and the reverse; such a pair is a whole component.

    Args:
        links: `email`, `email_check`, `user`, `user_check`, in any order, with any repeats; see `keys`.
        spill: existing folder for what does not stay in memory; where the system keeps temporary files when not given.

    Memory grows with the distinct pairs, 24 bytes each, and not with their repetitions.
    """
    with scratch(spill) as folder:
        met = Buckets(_MET, folder / "met", resident=_RESIDENT)
        for batch in links.collect_batches(chunk_size=_AT_ONCE // 2, maintain_order=False):
            _put(met, "email", batch)
        pairs = Buckets(_PAIR, folder / "pairs", resident=_RESIDENT)
        for some in _frames(met):
            _put(pairs, "user", some.unique().with_columns(alone=_is_unique("email")))
        found = [some.with_columns(pl.col("alone") & _is_unique("user")) for some in _frames(pairs)]
    alone = pl.concat(some.filter("alone") for some in found).drop("alone")
    return alone, pl.concat(some.filter(~pl.col("alone")) for some in found).drop("alone")


def _is_unique(kind: str) -> pl.Expr:
    return pl.struct(kind, f"{kind}_check").is_unique()


def _put(store: Buckets, kind: str, batch: pl.DataFrame) -> None:
    columns: Mapping[str, Any] = {column.name: column.to_numpy() for column in batch.iter_columns()}
    store.append(bucket_of(columns[kind], _BUCKETS), dict(columns))


def _frames(store: Buckets) -> Iterator[pl.DataFrame]:
    """All records, bucket by bucket, or at once where they are few."""
    few = store.rows <= _AT_ONCE
    for buckets in [range(_BUCKETS)] if few else [range(one, one + 1) for one in range(_BUCKETS)]:
        records = np.concatenate([store.read(one) for one in buckets])
        names = records.dtype.names or ()
        yield pl.DataFrame({name: np.ascontiguousarray(records[name]) for name in names})
