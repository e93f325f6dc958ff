"""Counts of one template, made by hand, and the people behind them."""

from datetime import date, timedelta

import polars as pl

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan, Rules

FIRST = date(2026, 1, 1)
CLICK = Plan("welcome", "click")


def counts(*rows):
    """Rows of (arm, metric, day, copy, messages, successes)."""
    whole = [
        ("welcome", arm, metric, 72, True, FIRST + timedelta(day), copy, n, x) for arm, metric, day, copy, n, x in rows
    ]
    return pl.DataFrame(whole, schema=COUNTS, orient="row")


def two_weeks(treatment, control, metric="click", n1=9_000, n0=1_000, days=14, copy=None):
    treated, kept = round(n1 * treatment), round(n0 * control)
    rows = (("treatment", metric, copy, n1, treated), ("control", metric, None, n0, kept))
    return counts(*((arm, name, day, label, n, x) for day in range(days) for arm, name, label, n, x in rows))


def decision(frame, plan=CLICK, rules=Rules(), **options):  # noqa: B008 - frozen
    return analyse(frame, [plan], rules=rules, **options)[0].decision


def people(arm, each, rate, k, day=0):
    """Rows of PEOPLE: k people of `each` messages, who answer all of them or none."""
    answered, at = round(k * rate), FIRST + timedelta(day)
    sent = [("welcome", arm, None, at, f"{arm}{day} {i}", None, None, each, 0) for i in range(k)]
    clicked = [("welcome", arm, None, at, f"{arm}{day} {i}", "click", 72, 0, each) for i in range(answered)]
    return sent + clicked


def known(*rows):
    return lambda: [pl.LazyFrame([one for some in rows for one in some], schema=PEOPLE, orient="row")]
