"""Persons as numbers: 64 bits to bucket and sort by, 32 more to see when two persons share them."""

from __future__ import annotations

import polars as pl

_ATTEMPTS = 4


class KeyCollisionError(Exception):
    """Two persons share 64 bits of key: an event met a send whose further 32 bits differ.

    A collision can only add candidates, so every wrong match would be seen here; what remains is two persons alike
    in all 96 bits, 6e-14 for 100 million persons. The caller starts again with other seeds.
    """


def seeds() -> range:
    """Seeds to try in turn: a second is needed after a `KeyCollisionError`, once in 10^5 runs of 10^7 persons."""
    return range(1, 1 + 16 * _ATTEMPTS, 16)


def key(column: str, seed: int) -> pl.Expr:
    """64 bits (UInt64) of a text; of null too, so leave nulls out first."""
    return pl.col(column).hash(seed)


def check(column: str, seed: int) -> pl.Expr:
    """32 further bits (UInt32)."""
    return (pl.col(column).hash(seed + 1) & 0xFFFF_FFFF).cast(pl.UInt32)
