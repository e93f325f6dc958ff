from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.experiments.clustered_variance import Clusters, clusters, weights_of
from justai_assets.experiments.design_effect import design_effect
from justai_assets_tests.experiments.crowd import DAY, NAMES, alike, arms, people


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["treatment", "control"]), st.integers(0, 2), st.sampled_from("abcde"),
            st.integers(1, 9), st.integers(0, 9), st.sampled_from([None, "x", "y"]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_the_squares_are_those_of_a_plain_loop(rows):
    rows = [(arm, day, user, m, min(m, x), copy) for arm, day, user, m, x, copy in rows]
    treatment, control = arms(*rows)
    weights = weights_of(0, NAMES, treatment, control)
    psi, users, keyed = {}, {"treatment": set(), "control": set()}, {}
    for arm, day, user, m, x, _ in rows:
        n, total = ((treatment, control)[arm == "control"].days)[DAY + timedelta(day)]
        both = [one.days.get(DAY + timedelta(day), (0, 0))[0] for one in (treatment, control)]
        h, sign = both[0] * both[1] / sum(both), 1 if arm == "treatment" else -1
        psi[user] = psi.get(user, 0.0) + sign * h / n * (x - total / n * m)
        users[arm].add(user)
        keyed[arm, DAY + timedelta(day)] = keyed.get((arm, DAY + timedelta(day)), 0) + m
    first, second = ([row for row in rows if (row[2] < "c") == side] for side in (True, False))
    found = clusters([people(*first), people(*second)], weights).get(0, Clusters())
    assert found.squares == pytest.approx(sum(one**2 for one in psi.values()))
    assert found.users == {arm: len(names) for arm, names in users.items()}
    assert found.keyed == keyed
    assert 1.0 <= design_effect(treatment, control, found).effect < float("inf")


def test_a_copy_is_compared_by_its_own_people_and_all_of_the_control():
    rows = [
        *[(*one, "a") for one in alike("treatment", 1_000, 3, 0.1)],
        *[(*one, "b") for one in alike("treatment", 1_000, 1, 0.1, name="other")],
        *alike("control", 1_000, 1, 0.1),
    ]
    of_a = [row for row in rows if row[0] == "control" or row[5] == "a"]
    weights = weights_of(7, {**NAMES, "copy_id": "a"}, *arms(*of_a))
    (found,) = clusters([people(*rows)], weights).values()
    assert found.users == {"treatment": 1_000, "control": 1_000}
    assert found.squares == pytest.approx(clusters([people(*of_a)], weights_of(7, NAMES, *arms(*of_a)))[7].squares)


def test_one_comparison_over_several_templates_adds_up_what_each_moves_a_person():
    rows = [*alike("treatment", 50, 2, 0.5), *alike("control", 50, 2, 0.5, name="c")]
    weights = weights_of(0, NAMES, *arms(*rows))
    twice = pl.concat([weights, weights.with_columns(template=pl.lit("other"))])
    both = pl.concat([people(*rows), people(*rows).with_columns(template=pl.lit("other"))])
    once, doubled = clusters([people(*rows)], weights)[0], clusters([both], twice)[0]
    assert doubled.squares == pytest.approx(4 * once.squares)
