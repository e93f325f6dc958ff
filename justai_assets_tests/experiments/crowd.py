"""A crowd for tests of clustering: people of so many messages in an arm, who answer all of them or none."""

from datetime import date, timedelta

import polars as pl

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.clustered_variance import PEOPLE, Clusters, clusters, weights_of
from justai_assets.experiments.design_effect import design_effect

DAY = date(2026, 1, 1)
NAMES = {"template": "welcome", "copy_id": None, "metric": "click", "window_hours": 72}


def people(*rows):
    """PEOPLE of rows of (arm, day, user, messages, clicked), and of (…, copy)."""
    sent = [("welcome", arm, *copy, DAY + timedelta(day), user, None, None, m, 0)
            for arm, day, user, m, _, copy in map(with_copy, rows)]  # fmt: skip
    clicked = [("welcome", arm, *copy, DAY + timedelta(day), user, "click", 72, 0, x)
               for arm, day, user, _, x, copy in map(with_copy, rows) if x]  # fmt: skip
    return pl.LazyFrame(sent + clicked, schema=PEOPLE, orient="row")


def with_copy(row):
    return (*row[:5], (row[5],) if len(row) > 5 else (None,))


def arms(*rows):
    """Treatment and control as the rows count them."""
    found = []
    for name in ("treatment", "control"):
        mine = [with_copy(row) for row in rows if row[0] == name]
        days = {
            DAY + timedelta(day): tuple(sum(row[at] for row in mine if row[1] == day) for at in (3, 4))
            for day in {row[1] for row in mine}
        }
        found.append(Arm(sum(n for n, _ in days.values()), sum(x for _, x in days.values()), days=days))
    return found


def effect_of(*rows, unkeyed=(), unknown=None):
    both = arms(*rows, *unkeyed)
    found = clusters([people(*rows)], weights_of(0, NAMES, *both))
    return design_effect(*both, found.get(0, Clusters()), unknown).effect


def alike(arm, count, each, rate, day=0, name=""):
    """People of `each` messages, who answer all of them or none."""
    return [(arm, day, f"{name or arm}{at}", each, each if at < count * rate else 0) for at in range(count)]
