"""The simulations of benchmarks/decisions.py say what the package says of the same messages; and in short what they find."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from benchmarks.simulated import FIRST, RULES, Scenario, looks_of, messages_of
from benchmarks.simulated_templates import Shared, drawn, scores
from justai_assets.experiments.all_templates import overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.arms import ARMS
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan


def rows_of(template, arm, sent, hit, keyed, names):
    """COUNTS and PEOPLE of an arm whose messages are days × people."""
    counts = [
        (template, arm, "click", 72, True, FIRST + timedelta(day), None, int(n), int(x))
        for day, (n, x) in enumerate(zip(sent.sum(axis=1), (sent & hit).sum(axis=1), strict=True))
        if n
    ]
    people = []
    for metric, hours, cells in ((None, None, sent & keyed), ("click", 72, sent & keyed & hit)):
        days, users = np.nonzero(cells)
        rows = pl.DataFrame({"cohort_date": days, "user": names[days, users]})
        rows = rows.group_by("cohort_date", "user").len()
        people.append(
            rows.select(
                pl.lit(template).alias("template"), pl.lit(arm).alias("arm"), pl.lit(None, pl.String).alias("copy_id"),
                (pl.lit(FIRST) + pl.duration(days="cohort_date")).alias("cohort_date"), pl.col("user"),
                pl.lit(metric, pl.String).alias("metric"), pl.lit(hours, pl.Int32).alias("window_hours"),
                pl.col("len").alias("messages") if metric is None else pl.lit(0).alias("messages"),
                pl.lit(0).alias("successes") if metric is None else pl.col("len").alias("successes"),
            )
        )  # fmt: skip
    return counts, [one.select(pl.col(name).cast(kind) for name, kind in PEOPLE.items()) for one in people]


def names_of(shape, key):
    users = np.broadcast_to(np.arange(shape[1]), shape)
    return np.char.add(users.astype(str), np.where(key, "b", "a"))


SCENARIOS = {
    "by message": Scenario(share=0.3),
    "by person, late, two unlinked keys": Scenario("user", two_keys="unlinked", share=0.3, late=3),
    "by person, 60 % keys": Scenario("user", keys=0.6, share=0.3),
    "by person, no keys": Scenario("user", keys=0.0, share=0.3),
    "by message, delays": Scenario(delays=(12.0, 24.0), share=0.3),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_simulated_look_says_what_the_package_says_of_the_same_messages(name):
    one = SCENARIOS[name]
    messages = messages_of(np.random.default_rng(3), 600, one, 0.2)
    looks, last = looks_of(messages, one), one.days - 1
    names = names_of(messages.hit.shape, messages.key & (one.two_keys == "unlinked"))
    parts = [
        rows_of("t", arm, sent, messages.hit, messages.keyed, names)
        for arm, sent in zip(ARMS, messages.arms, strict=True)
    ]
    counts = pl.DataFrame([row for rows, _ in parts for row in rows], schema=COUNTS, orient="row")
    people = [pl.concat([frame for _, frames in parts for frame in frames]).lazy()]
    # The night after the last day; what comes at once needs no window, so it is over.
    now = datetime(2026, 1, 1, 1, tzinfo=UTC) + timedelta(one.days + (3 if one.delays is None else 0))
    plan = Plan("t", "click", control_share=None, split_unit=one.split)
    (result,) = analyse(counts, [plan], people=(lambda: people) if one.keys else None, rules=RULES, now=now)
    found = result.key.comparison
    assert looks.counted[last]
    assert found.treatment.design_effect == pytest.approx(looks.effect[last])
    assert found.treatment.messages == pytest.approx(looks.counts[1][last].sum() * looks.effect[last])
    assert found.lift.value == pytest.approx(looks.lift[last])
    assert (abs(looks.score[last]) > 1) == (found.always_valid_p < RULES.alpha)
    assert (found.lift.always_low <= 0 <= found.lift.always_high) == (abs(looks.score[last]) <= 1)
    ends = [looks.holds(1 + end)[1] for end in (found.lift.always_low - 0.01, found.lift.always_high + 0.01)]
    assert not any(ends), "beyond the ends nothing is held"


@pytest.mark.parametrize("one", [Shared(), Shared("user"), Shared(keys=False), Shared("user", keys=False)], ids=str)
def test_simulated_templates_of_one_control_say_what_the_package_says_of_all_together(one):
    messages = drawn(np.random.default_rng(5), 800, one)
    names = names_of(messages.hit.shape, np.zeros(messages.hit.shape, dtype=bool))
    known = np.ones(messages.hit.shape, dtype=bool)
    counts, people = [], []
    for at in range(one.templates):
        for arm, cell in zip(ARMS, (at, one.templates), strict=True):
            rows, frames = rows_of(f"t{at}", arm, messages.arm == cell, messages.hit, known, names)
            counts, people = counts + rows, people + frames
    frame, parts = pl.DataFrame(counts, schema=COUNTS, orient="row"), [pl.concat(people).lazy()]
    given = (lambda: parts) if one.keys else None
    plans = [
        Plan(f"t{at}", "click", control_share=None, split_unit=one.split, treatment_id=f"t{at}", control_id="control")
        for at in range(one.templates)
    ]
    (found,) = overall(analyse(frame, plans, people=given, rules=RULES), RULES, people=given)
    expected = scores(messages, one)[-1]
    assert found.always_valid_p == pytest.approx(abs(expected), rel=1e-6)
    assert (found.lift.value > 0) == (expected > 0)
