"""Who is one person: keys linked by engagement events that carry an email and a user id.

A key that too many others share names nobody: an unknown placeholder, a shared device, a test account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from justai_assets.attribution.engine.person_keys import check, key
from justai_assets.attribution.engine.record_buckets import Buckets, bucket_of, scratch
from justai_assets.contract.events import MOST_LINKED

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
        links: `email`, `email_check`, `user`, `user_check`, in any order, with any repeats; see `person_keys`.
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


KINDS: Final = {"email_key": "email", "user_key": "user id"}
"""Column of keys → what it holds, in words."""


@dataclass(frozen=True)
class Shared:
    """The shared keys of one column; there is at least one.

    Attributes:
        column: email_key or user_key.
        keys: the keys.
        people: keys of the other column that occur together with one of them.
    """

    column: str
    keys: pl.Series
    people: int

    @property
    def is_one(self) -> pl.Expr:
        """Whether a row carries one of them; null for none at all."""
        return pl.col(self.column).is_in(self.keys.implode())


def shared_nodes(pairs: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """`email` and `user` → its nodes that occur in more than MOST_LINKED of distinct pairs, where there are any."""
    found = {}
    for kind in ("email", "user"):
        nodes = pairs.group_by(kind, f"{kind}_check").len().filter(pl.col("len") > MOST_LINKED)
        if len(nodes):
            found[kind] = nodes.drop("len")
    return found


def shared_keys(
    nodes: Mapping[str, pl.DataFrame], pairs: pl.DataFrame, links: pl.LazyFrame, hashes: Mapping[str, pl.Expr]
) -> tuple[Shared, ...]:
    """The keys behind `shared_nodes`.

    Args:
        nodes: as `shared_nodes` returns them.
        pairs: the distinct pairs that they were found in.
        links: the rows that the pairs were made of.
        hashes: the pairs' columns as expressions over these rows.
    """
    found = []
    for kind, some in nodes.items():
        on = [kind, f"{kind}_check"]
        rows = links.select(f"{kind}_key", **{name: hashes[name] for name in on})
        keys = rows.join(some.lazy(), on=on, how="semi").select(f"{kind}_key").unique().collect(engine="streaming")
        others = pairs.join(some, on=on, how="semi")["user" if kind == "email" else "email"]
        found.append(Shared(f"{kind}_key", keys.to_series(), others.n_unique()))
    return tuple(found)


def without(frame: pl.LazyFrame, shared: Sequence[Shared]) -> pl.LazyFrame:
    """The rows, with null for every shared key."""
    return frame.with_columns(pl.when(~one.is_one).then(one.column).alias(one.column) for one in shared)


_APART = 7
"""Emails and user ids are hashed with seeds this far apart: equal digits in the two namespaces are two keys."""
_NODE = ("key", "check")


@dataclass(frozen=True)
class Identity:
    """Which person a key stands for, where that is not plain.

    Persons and keys are numbers (see `person_keys`). A key that no link names is its own person; so is the email of a
    pair that nobody else shares. `people` holds the rest.

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
