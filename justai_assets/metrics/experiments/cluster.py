"""Variance clustered by user: what repeated messages to one person really tell.

One person receives many messages and tends to answer all of them alike, so messages are not independent and the
binomial variance is too small. The rate of an arm is a ratio of per-user sums, R = Σxᵤ / Σmᵤ (successes over messages).
Linearising the ratio (the delta method; Cochran 1977, "Sampling Techniques", §6.3; Deng, Knoblich & Lu 2018, "Applying
the delta method in metric analytics", KDD) gives the cluster-robust variance

    Var(R) = K/(K−1) · Σ (xᵤ − R·mᵤ)² / (Σmᵤ)²
           = K/(K−1) · (Σx² − 2R·Σxm + R²·Σm²) / (Σm)²            K users

which needs six sums per arm and no list of people. Its quotient by the binomial variance R(1−R)/Σm is the design
effect; dividing counts by it gives the effective sample to which every method for independent messages applies (Rao &
Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics 48). That way one interval serves
both cases, and stays inside the possible rates.

Choices on the safe side: a design effect below 1 is taken as 1; with few users the effective sample shrinks further by
(1.96 / t)² with K−1 degrees of freedom (Korn & Graubard 1998, Survey Methodology 24); where the rate is 0 or 1, or
there is a single user, it is Kish's Σm²/Σm, the design effect if a person always answered alike.

Arms are never joined on the user. Where a split is drawn per message, one person is in both arms, and what the arms
share cancels in their difference; leaving that covariance out makes intervals wider, never narrower, than need be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

_KEYS: Final = ("template", "arm", "metric", "window_hours")
USER_COUNTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "copy_id": pl.String(),
        "user": pl.String(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
    }
)
"""Input of `moments`: a user's messages in one arm, by copy where it is known. Restricted: one row is one person."""

MOMENTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "copy_id": pl.String(),
        "users": pl.Int64(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
        "messages_squared": pl.Float64(),
        "successes_squared": pl.Float64(),
        "cross": pl.Float64(),
    }
)
"""The six sums. copy_id null: the whole arm (not the sum of its copies: one person can receive several)."""


@dataclass(frozen=True)
class Moments:
    """The six sums of one arm: users, Σm, Σx, Σm², Σx², Σxm."""

    users: int
    messages: int
    successes: int
    messages_squared: float
    successes_squared: float
    cross: float


def moments(users: pl.LazyFrame) -> pl.DataFrame:
    """Per-user counts as sums in which no person is left.

    Args:
        users: rows of USER_COUNTS. A null user has no key and cannot be clustered: such a row counts as a person of its
            own, so give one row a message there.

    Returns:
        MOMENTS, a row per template × arm × metric × window, and one per copy in it.
    """
    sums = (
        pl.len().cast(pl.Int64).alias("users"),
        pl.col("m").sum().cast(pl.Int64).alias("messages"),
        pl.col("x").sum().cast(pl.Int64).alias("successes"),
        (pl.col("m").cast(pl.Float64) ** 2).sum().alias("messages_squared"),
        (pl.col("x").cast(pl.Float64) ** 2).sum().alias("successes_squared"),
        (pl.col("m").cast(pl.Float64) * pl.col("x")).sum().alias("cross"),
    )
    per_person = (pl.col("messages").sum().alias("m"), pl.col("successes").sum().alias("x"))
    keyed = users.filter(pl.col("user").is_not_null())
    alone = users.filter(pl.col("user").is_null()).rename({"messages": "m", "successes": "x"})

    def summed(keys: tuple[str, ...], keyed: pl.LazyFrame, alone: pl.LazyFrame) -> pl.LazyFrame:
        people = pl.concat([keyed.group_by(*keys, "user").agg(*per_person).select(*keys, "m", "x"),
                            alone.select(*keys, "m", "x")])  # fmt: skip
        return people.group_by(*keys).agg(*sums)

    known = pl.col("copy_id").is_not_null()
    arms = summed(_KEYS, keyed, alone).with_columns(pl.lit(None, pl.String).alias("copy_id"))
    copies = summed((*_KEYS, "copy_id"), keyed.filter(known), alone.filter(known))
    both = pl.concat([arms.select(MOMENTS.names()), copies.select(MOMENTS.names())])
    return both.sort(*_KEYS, "copy_id").collect().cast(dict(MOMENTS))  # type: ignore[arg-type]


def design_effect(sums: Moments) -> float:
    """How many messages count as one independent message; at least 1, and 1 without messages."""
    from scipy.stats import norm, t

    if sums.messages == 0:
        return 1.0
    kish = max(1.0, sums.messages_squared / sums.messages)
    rate = sums.successes / sums.messages
    if sums.users < 2 or rate in (0.0, 1.0):
        return kish
    squares = sums.successes_squared - 2 * rate * sums.cross + rate**2 * sums.messages_squared
    clustered = sums.users / (sums.users - 1) * squares / sums.messages**2
    few_users = float((t.isf(0.025, sums.users - 1) / norm.isf(0.025)) ** 2)
    return max(1.0, clustered / (rate * (1 - rate) / sums.messages)) * few_users
