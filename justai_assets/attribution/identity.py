"""Who is one person: keys linked by engagement events that carry an email and a user id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from justai_assets.attribution.keys import check, key
from justai_assets.attribution.pairs import split_pairs
from justai_assets.attribution.shared import Shared, shared_keys, shared_nodes, without

_APART = 7
"""Emails and user ids are hashed with seeds this far apart: equal digits in the two namespaces are two keys."""
_NODE = ("key", "check")


@dataclass(frozen=True)
class Identity:
    """Which person a key stands for, where that is not plain.

    Persons and keys are numbers (see `keys`). A key that no link names is its own person; so is the email of a pair
    that nobody else shares. `people` holds the rest.

    Attributes:
        people: `key`, `check` → `person`, `person_check`.
        seed: of the hashes.
        shared: the keys that too many others share. They link nobody and are nobody's.
    """

    people: pl.DataFrame
    seed: int
    shared: tuple[Shared, ...] = ()

    @classmethod
    def of(cls, links: pl.LazyFrame, seed: int, spill: Path | None = None) -> Identity:
        """From rows that carry an `email_key` and a `user_key`, in any order, with any repeats.

        `spill` is an existing folder for what does not stay in memory.
        """
        hashes = {
            "email": key("email_key", seed),
            "email_check": check("email_key", seed),
            "user": key("user_key", seed + _APART),
            "user_check": check("user_key", seed + _APART),
        }
        alone, rest = split_pairs(links.select(**hashes), spill)
        nodes = shared_nodes(rest)
        shared = shared_keys(nodes, rest, links, hashes)
        for kind, some in nodes.items():
            rest = rest.join(some, on=[kind, f"{kind}_check"], how="anti")
        return cls(_persons(alone, rest), seed, shared)

    def node(self) -> tuple[pl.Expr, pl.Expr]:
        """`key` and `check` of a row's email, else of its user id; they mean nothing in a row without both."""
        email, other = pl.col("email_key").is_not_null(), self.seed + _APART
        return (
            pl.when(email).then(key("email_key", self.seed)).otherwise(key("user_key", other)).alias("key"),
            pl.when(email).then(check("email_key", self.seed)).otherwise(check("user_key", other)).alias("check"),
        )

    def person(self, frame: pl.LazyFrame, *kept: str | pl.Expr) -> pl.LazyFrame:
        """`key`, `check` and the kept columns; the keys of an engagement row are one person, so either will do."""
        if self.shared:
            frame = without(frame, self.shared)
            frame = frame.filter(pl.col("email_key").is_not_null() | pl.col("user_key").is_not_null())
        return self._resolved(frame.select(*kept, *self.node()))

    def persons(self, frame: pl.LazyFrame, *kept: str | pl.Expr) -> Iterator[pl.LazyFrame]:
        """The same for rows whose two keys may belong to two persons: a frame by email, and one by user id."""
        frame = without(frame, self.shared)
        for name, seed in (("email_key", self.seed), ("user_key", self.seed + _APART)):
            nodes = frame.filter(pl.col(name).is_not_null())
            yield self._resolved(nodes.select(*kept, key=key(name, seed), check=check(name, seed)))

    def _resolved(self, nodes: pl.LazyFrame) -> pl.LazyFrame:
        if self.people.is_empty():
            return nodes
        found = nodes.join(self.people.lazy(), on=_NODE, how="left")
        return found.with_columns(key=pl.coalesce("person", "key"), check=pl.coalesce("person_check", "check")).drop(
            "person", "person_check"
        )


def persons(pairs: pl.DataFrame) -> pl.DataFrame:
    """The connected components of distinct pairs: `key`, `check`, `person`, `person_check`.

    The person of a component is one of its keys, the same for every order of the pairs.
    """
    return _persons(*split_pairs(pairs.lazy()))


def _persons(alone: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    plain = alone.select(key="user", check="user_check", person="email", person_check="email_check")
    return pl.concat([plain, _components(rest)])


def _components(pairs: pl.DataFrame) -> pl.DataFrame:
    """The same for pairs that share keys; linear in the pairs however long a chain is."""
    nodes = (
        pl.concat([pairs.select(key=name, check=f"{name}_check") for name in ("email", "user")])
        .unique()
        .sort(_NODE)
        .with_row_index("node")
    )
    if pairs.is_empty():
        labels = pl.Series("label", [], pl.Int32)
    else:
        import numpy as np
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ends = [
            pairs.select(key=name, check=f"{name}_check").join(nodes, on=_NODE, how="left", maintain_order="left")
            for name in ("email", "user")
        ]
        shape = (len(nodes), len(nodes))
        graph = coo_array((np.ones(len(pairs), np.int8), tuple(end["node"].to_numpy() for end in ends)), shape=shape)
        labels = pl.Series("label", connected_components(graph, directed=False)[1])
    return nodes.with_columns(labels).select(
        *_NODE,
        person=pl.col("key").first().over("label"),
        person_check=pl.col("check").first().over("label"),
    )
