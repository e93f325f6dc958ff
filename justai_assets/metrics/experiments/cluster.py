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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from justai_assets.metrics.experiments.errors import ExperimentError

PEOPLE: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "copy_id": pl.String(),
        "cohort_date": pl.Date(),
        "user": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
    }
)
"""Input of `person_sums`: people known by a key. metric null: the messages sent to a user on a day, in one arm and
copy. metric set: how many of them succeeded at it; no row means none. Restricted: one row is about one person."""

SUMS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "copy_id": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "users": pl.Int64(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
        "messages_squared": pl.Float64(),
        "successes_squared": pl.Float64(),
        "cross": pl.Float64(),
    }
)
"""Sums over people, in which no person is left: users, messages and messages_squared where metric is null, the others
where it is set. copy_id null: the whole arm (not the sum of its copies: one person can receive several)."""

MOMENTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "copy_id": pl.String(),
        "users": pl.Int64(),
        "keyed_messages": pl.Int64(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
        "messages_squared": pl.Float64(),
        "successes_squared": pl.Float64(),
        "cross": pl.Float64(),
    }
)
"""The six sums per metric, and how many of the messages go to a person known by a key. copy_id as in SUMS."""

_ADDED: Final = ("users", "messages", "successes", "messages_squared", "successes_squared", "cross")


@dataclass(frozen=True)
class Moments:
    """The six sums of one arm: users, Σm, Σx, Σm², Σx², Σxm; a message without a key is a user of its own.

    keyed_messages: messages to people known by a key; None: all of them.
    """

    users: int
    messages: int
    successes: float
    messages_squared: float
    successes_squared: float
    cross: float
    keyed_messages: int | None = None

    def __post_init__(self) -> None:
        if self.users > self.messages:
            raise ExperimentError(
                f"{self.users} people received {self.messages} messages",
                mend="count only people who were sent something",
            )


def person_sums(people: pl.LazyFrame) -> pl.DataFrame:
    """Per-person counts as sums; the sums of disjoint sets of people may be added up (`added`).

    Args:
        people: rows of PEOPLE. The days of one person are summed before they are squared.

    Returns:
        SUMS, for every arm and for every copy in it.
    """
    sent = people.filter(pl.col("metric").is_null())
    succeeded = people.filter(pl.col("metric").is_not_null())
    m, x = pl.col("m").cast(pl.Float64), pl.col("x").cast(pl.Float64)

    def summed(keys: Sequence[str], sent: pl.LazyFrame, succeeded: pl.LazyFrame) -> pl.LazyFrame:
        received = sent.group_by(*keys, "user").agg(pl.col("messages").sum().alias("m"))
        answered = succeeded.group_by(*keys, "user", "metric", "window_hours").agg(pl.col("successes").sum().alias("x"))
        users = received.group_by(keys).agg(
            pl.len().alias("users"), pl.col("m").sum().alias("messages"), (m**2).sum().alias("messages_squared")
        )
        successes = (
            answered.join(received, on=[*keys, "user"])
            .group_by(*keys, "metric", "window_hours")
            .agg(
                pl.col("x").sum().alias("successes"),
                (x**2).sum().alias("successes_squared"),
                (m * x).sum().alias("cross"),
            )
        )
        return pl.concat([users, successes], how="diagonal")

    known = pl.col("copy_id").is_not_null()
    arms = summed(("template", "arm"), sent, succeeded)
    copies = summed(("template", "arm", "copy_id"), sent.filter(known), succeeded.filter(known))
    return _shaped(pl.concat([arms, copies], how="diagonal"), SUMS).collect()


def added(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """SUMS of disjoint sets of people as SUMS of them all."""
    keys = [name for name in SUMS.names() if name not in _ADDED]
    return pl.concat([pl.DataFrame(schema=SUMS), *parts]).group_by(keys).agg(pl.col(_ADDED).sum())


def moments(sums: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """The six sums of every metric: of the people known by a key, and of the messages without one.

    Args:
        sums: SUMS of the people behind the counts.
        counts: COUNTS (counts.py). What they hold beyond the people are messages without a key; such a message is a
            person of its own.

    Returns:
        MOMENTS, a row per template × arm × metric × window and one per copy in it; none for an arm without any key.

    Raises:
        ExperimentError: people received or answered more messages than were counted: both must be of the same days.
    """
    keys, copied = ("template", "arm", "metric", "window_hours"), pl.col("copy_id").is_not_null()
    whole = counts.group_by(keys).agg(pl.col("messages", "successes").sum())
    copies = counts.filter(copied).group_by(*keys, "copy_id").agg(pl.col("messages", "successes").sum())
    total = pl.concat([whole, copies], how="diagonal_relaxed")
    people = sums.filter(pl.col("metric").is_null()).select(
        *("template", "arm", "copy_id", "users", "messages_squared"), pl.col("messages").alias("keyed_messages")
    )
    answers = sums.filter(pl.col("metric").is_not_null()).select(
        *keys, "copy_id", "successes_squared", "cross", pl.col("successes").alias("keyed_successes")
    )
    found = total.join(people, on=["template", "arm", "copy_id"], nulls_equal=True).join(
        answers, on=[*keys, "copy_id"], how="left", nulls_equal=True
    )
    found = found.with_columns(pl.col("keyed_successes", "successes_squared", "cross").fill_null(0)).with_columns(
        (pl.col("messages") - pl.col("keyed_messages")).alias("m"),
        (pl.col("successes") - pl.col("keyed_successes")).alias("x"),
    )
    wrong = found.filter((pl.col("m") < 0) | (pl.col("x") < 0) | (pl.col("x") > pl.col("m")))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise ExperimentError(
            f"{row['template']} / {row['arm']} / {row['metric']}: counts and people are over different messages",
            mend="build both from the same cohorts",
        )
    alone = [pl.col("users", "messages_squared") + pl.col("m"), pl.col("successes_squared", "cross") + pl.col("x")]
    return _shaped(found.with_columns(alone).lazy(), MOMENTS).sort(*keys, "copy_id").collect()


def _shaped(frame: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    have = frame.collect_schema().names()
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name) for name, dtype in schema.items()
    )


def design_effect(sums: Moments, spread: float | None = None) -> float:
    """How many messages count as one independent message; at least 1, and 1 without messages.

    Args:
        sums: of the arm.
        spread: the variance of one message; None: R(1 − R), that of a success. Of an amount, x is what a person's
            messages brought.
    """
    from scipy.stats import norm, t

    if sums.messages == 0:
        return 1.0
    kish = max(1.0, sums.messages_squared / sums.messages)
    rate = sums.successes / sums.messages
    spread = rate * (1 - rate) if spread is None else spread
    if sums.users < 2 or spread == 0:
        return kish
    squares = sums.successes_squared - 2 * rate * sums.cross + rate**2 * sums.messages_squared
    clustered = sums.users / (sums.users - 1) * squares / sums.messages**2
    few_users = float((t.isf(0.025, sums.users - 1) / norm.isf(0.025)) ** 2)
    return max(1.0, clustered / (spread / sums.messages)) * few_users
