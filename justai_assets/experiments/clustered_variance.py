"""Variance clustered by person: what repeated messages to one person really tell.

One person receives many messages and tends to answer all of them alike, so messages are not independent and the
binomial variance is too small. What a comparison measures is a weighted sum over send days of the difference of rates
(intervals.py), with h = n₁n₀/(n₁ + n₀) for a day. Linearised (the delta method; Cochran 1977, "Sampling Techniques",
§6.3; Deng, Knoblich & Lu 2018, KDD), the sum moves for every person by

    ψᵤ = Σ over days  h/n₁ · (xᵤ₁ − p̂₁mᵤ₁)  −  h/n₀ · (xᵤ₀ − p̂₀mᵤ₀)

with m and x the person's messages and successes in an arm on a day. Σψᵤ² is the variance, clustered by person (the
sandwich of Liang & Zeger 1986, Biometrika 73). A person's two arms are in ONE ψ. Where the split is drawn per message,
a person is in both arms, and what the arms share cancels. Where it is drawn per person, one half of ψ is empty.

What Σψᵤ² says about the effective sample is design_effect.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.experiments.arms import CONTROL, TREATMENT, Arm, shared_days

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
        "successes": pl.Float64(),
    }
)
"""People known by a key. metric null: the messages sent to a person on a day, in one arm and copy. metric set: how many
of them succeeded at it, or what these brought; no row means none. Restricted: one row is about one person."""

WEIGHTS: Final = pl.Schema(
    {
        "comparison": pl.UInt32(),
        "template": pl.String(),
        "arm": pl.String(),
        "copy_id": pl.String(),
        "cohort_date": pl.Date(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "per_message": pl.Float64(),
        "per_success": pl.Float64(),
    }
)
"""By how much a message and a success of an arm on a send day move a comparison. copy_id null: whatever the copy."""

Cell = tuple[str, date]
"""An arm and a send day."""


@dataclass
class Clusters:
    """What the people say about one comparison.

    Attributes:
        squares: Σψᵤ² over the people known by a key.
        users: arm → people known by a key.
        keyed: arm and send day → messages to them.
    """

    squares: float = 0.0
    users: dict[str, int] = field(default_factory=lambda: {TREATMENT: 0, CONTROL: 0})
    keyed: dict[Cell, int] = field(default_factory=dict)


def weights_of(comparison: int, names: Mapping[str, object], treatment: Arm, control: Arm) -> pl.DataFrame:
    """WEIGHTS of a comparison of two arms by send day.

    Args:
        comparison: its number.
        names: template, copy_id of the treatment, metric and window_hours.
        treatment: with `days`.
        control: with `days`.
    """
    rows = []
    for day, h, arms in shared_days(treatment, control):
        for (name, sign), (n, x) in zip(((TREATMENT, 1.0), (CONTROL, -1.0)), arms, strict=True):
            if not n:
                continue
            each = sign * h / n
            copy_id = names["copy_id"] if name == TREATMENT else None
            rows.append(
                (comparison, names["template"], name, copy_id, day, names["metric"], names["window_hours"],
                 -each * x / n, each)
            )  # fmt: skip
    return pl.DataFrame(rows, schema=WEIGHTS, orient="row")


def clusters(parts: Iterable[pl.LazyFrame], weights: pl.DataFrame) -> dict[int, Clusters]:
    """Pass over the people once and sum ψ² for every comparison.

    Args:
        parts: rows of PEOPLE; all rows of a person are in one part. Memory holds a part. In the same order, the same
            rows give the same sums to the bit.
        weights: WEIGHTS.

    Returns:
        comparison → its clusters; every comparison that has weights is in it.
    """
    of_templates: dict[str, list[tuple[int, pl.DataFrame]]] = {}
    for (number,), rows in weights.group_by("comparison", maintain_order=True):
        for (template,), mine in rows.group_by("template", maintain_order=True):
            of_templates.setdefault(str(template), []).append((int(str(number)), mine))
    found = {number: Clusters() for rows in of_templates.values() for number, _ in rows}
    if not found:
        return found
    for part in parts:
        people = part.filter(pl.col("template").is_in(list(of_templates))).collect()
        psi: dict[int, npt.NDArray[np.float64]] = {}
        users = people.select("user").unique(maintain_order=True).with_row_index("at")
        people = people.join(users, on="user", maintain_order="left").drop("user")
        for (template,), rows in people.group_by("template", maintain_order=True):
            cells = _Cells.of(rows)
            for number, mine in of_templates[str(template)]:
                # A comparison over several templates adds up what each moves a person.
                total = psi.setdefault(number, np.zeros(users.height))
                cells.add(mine, total, found[number])
        for number, moved in psi.items():
            found[number].squares += float(moved @ moved)
    return found


@dataclass(frozen=True)
class _Cells:
    """The people of one template, with numbers for cells (arm, copy, day) and for people."""

    names: pl.DataFrame
    sent: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]
    succeeded: dict[tuple[str, int], tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Cells:
        on = ["arm", "copy_id", "cohort_date"]
        is_sent = pl.col("metric").is_null()
        names = rows.filter(is_sent).group_by(on, maintain_order=True).agg(pl.col("messages").sum())
        names = names.with_row_index("cell")
        rows = rows.join(names.select(*on, "cell"), on=on, nulls_equal=True, maintain_order="left")
        succeeded = {
            (str(metric), int(str(hours))): _arrays(some, "successes")
            for (metric, hours), some in rows.filter(~is_sent).group_by("metric", "window_hours")
        }
        return cls(names, _arrays(rows.filter(is_sent), "messages"), succeeded)

    def add(self, weights: pl.DataFrame, psi: npt.NDArray[np.float64], found: Clusters) -> None:
        """Add to ψ of every person what one comparison's weights move it, and count the people."""
        mine = self.names.join(weights.rename({"copy_id": "only"}), on=["arm", "cohort_date"])
        mine = mine.filter(pl.col("only").is_null() | (pl.col("only") == pl.col("copy_id")))
        at = mine["cell"].to_numpy()
        cell, user, messages = self.sent
        psi += np.bincount(user, self._table(at, mine["per_message"])[cell] * messages, len(psi))
        metric, hours = weights["metric"][0], weights["window_hours"][0]
        if (metric, hours) in self.succeeded:
            where, who, successes = self.succeeded[metric, hours]
            psi += np.bincount(who, self._table(at, mine["per_success"])[where] * successes, len(psi))
        for (arm, day), rows in mine.group_by("arm", "cohort_date"):
            key = (str(arm), day)
            found.keyed[key] = found.keyed.get(key, 0) + int(rows["messages"].sum())
        for (arm,), rows in mine.group_by("arm"):
            inside = self._table(rows["cell"].to_numpy(), pl.repeat(1.0, rows.height, eager=True))
            found.users[str(arm)] += int(np.count_nonzero(np.bincount(user, inside[cell])))

    def _table(self, at: npt.NDArray[np.uint32], values: pl.Series) -> npt.NDArray[np.float64]:
        table = np.zeros(self.names.height)
        table[at] = values.to_numpy()
        return table


def _arrays(
    rows: pl.DataFrame, values: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return (
        rows["cell"].to_numpy().astype(np.int64),
        rows["at"].to_numpy().astype(np.int64),
        rows[values].to_numpy().astype(np.float64),
    )
