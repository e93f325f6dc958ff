"""Who is one person, in Spark: connected components of (email, user id) pairs, as in `attribution.identity`."""

from __future__ import annotations

from typing import Any

from justai_assets.spark.tables import DataFrame, Scratch

MAX_ROUNDS = 100
"""Rounds are about the square of the logarithm of the largest component: a hundred are past any data."""


def people(pairs: DataFrame, scratch: Scratch) -> DataFrame:
    """`node` → `person` for the nodes whose person is not plainly themselves.

    Args:
        pairs: `email`, `user`: nodes that are one person, with any repeats, never null.
        scratch: for intermediate results.

    The person of a component is its least node. A pair that shares no node with another pair is a whole component,
    which nearly all are; only the rest is contracted.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    def alone(name: str) -> Any:
        return F.count(F.lit(1)).over(Window.partitionBy(name)) == 1

    counted = scratch.cut(pairs.distinct().withColumn("alone", alone("email") & alone("user")))
    plain = counted.where("alone").select(
        F.greatest("email", "user").alias("node"), F.least("email", "user").alias("person")
    )
    rest = counted.where("NOT alone")
    if not rest.head(1):
        return plain
    return plain.unionByName(_stars(rest, scratch))


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
