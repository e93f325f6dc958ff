"""Who is one person, in Spark: connected components of (email, user id) pairs, as in `attribution.identity`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from justai_assets.attribution.spark.job_tables import DataFrame, Scratch
from justai_assets.contract.events import MOST_LINKED

MAX_ROUNDS = 100
"""Rounds are about the square of the logarithm of the largest component: a hundred are past any data."""


KINDS = {"email": "email", "user": "user id"}


@dataclass(frozen=True)
class People:
    """Who is one person.

    Attributes:
        persons: `node` → `person` for the nodes whose person is not plainly themselves.
        shared: `node` for the nodes that more than MOST_LINKED others share, and that name nobody; None for none.
        sharing: day → kind of id → the nodes of the other kind that share one.
    """

    persons: DataFrame
    shared: DataFrame | None
    sharing: dict[date, dict[str, int]]


def people(pairs: DataFrame, scratch: Scratch) -> People:
    """Persons from linked nodes.

    Args:
        pairs: `for_day`, `email`, `user`: nodes that are one person, with any repeats, never null.
        scratch: for intermediate results.

    The person of a component is its least node. A pair that shares no node with another pair is a whole component,
    which nearly all are; only the rest is contracted.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    def others(name: str) -> Any:
        return F.count(F.lit(1)).over(Window.partitionBy(name))

    counted = pairs.distinct().withColumn("of_email", others("email")).withColumn("of_user", others("user"))
    counted = scratch.cut(counted)
    plain = counted.where("of_email = 1 AND of_user = 1").select(
        F.greatest("email", "user").alias("node"), F.least("email", "user").alias("person")
    )
    rest = counted.where("of_email > 1 OR of_user > 1")
    if not rest.head(1):
        return People(plain, None, {})
    few = rest.where(f"of_email <= {MOST_LINKED} AND of_user <= {MOST_LINKED}")
    return People(plain.unionByName(_stars(few, scratch)), *_shared(rest))


def _shared(rest: DataFrame) -> tuple[DataFrame | None, dict[date, dict[str, int]]]:
    from pyspark.sql import functions as F

    nodes: DataFrame | None = None
    sharing: dict[date, dict[str, int]] = {}
    for kind, other in (("email", "user"), ("user", "email")):
        many = rest.where(f"of_{kind} > {MOST_LINKED}")
        for row in many.groupBy("for_day").agg(F.countDistinct(other).alias("others")).collect():
            sharing.setdefault(row["for_day"], {})[KINDS[kind]] = row["others"]
        mine = many.select(F.col(kind).alias("node")).distinct()
        nodes = mine if nodes is None else nodes.unionByName(mine)
    return (nodes if sharing else None), sharing


def _stars(pairs: DataFrame, scratch: Scratch) -> DataFrame:
    """Alternating contraction (Kiveris et al., 2014): large-star, then small-star, until nothing moves.

    Both keep components whole and lower every node's neighbour; what stands still is a star around each least node.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    edges = pairs.select(F.greatest("email", "user").alias("node"), F.least("email", "user").alias("person")).distinct()
    seen: Any = None
    for _ in range(MAX_ROUNDS):
        both = edges.unionByName(edges.select(F.col("person").alias("node"), F.col("node").alias("person")))
        of_node = Window.partitionBy("node")
        least = both.withColumn("least", F.least("node", F.min("person").over(of_node)))
        large = least.where("person > node").select(F.col("person").alias("node"), F.col("least").alias("person"))
        least = large.distinct().withColumn("least", F.min("person").over(of_node))
        small = least.where("person <> least").select(F.col("person").alias("node"), F.col("least").alias("person"))
        own = least.select("node", F.col("least").alias("person"))
        edges = scratch.cut(small.unionByName(own).distinct())
        found = edges.select(
            F.count(F.lit(1)), F.bit_xor(F.xxhash64("node", "person")), F.bit_xor(F.xxhash64("person", "node"))
        ).head()
        if found == seen:
            return edges
        seen = found
    raise AssertionError("the links between keys did not settle")
