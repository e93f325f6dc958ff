"""Keys that too many others share: an unknown placeholder, a shared device, a test account. They name nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from justai_assets.contract.events import MOST_LINKED

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
