from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.metrics.experiments.arms import Arm
from justai_assets.metrics.experiments.cluster import (
    PEOPLE,
    Clusters,
    Unknown,
    clustered,
    clusters,
    design_effect,
    weights_of,
)

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


def test_one_message_a_person_is_no_cluster():
    assert effect_of(*alike("treatment", 3_000, 1, 0.1), *alike("control", 3_000, 1, 0.1)) == pytest.approx(1, abs=0.01)


def test_people_who_always_answer_alike_count_once():
    assert effect_of(*alike("treatment", 3_000, 5, 0.1), *alike("control", 3_000, 5, 0.1)) == pytest.approx(5, rel=0.01)


def test_days_of_one_person_are_summed_before_they_are_squared():
    rows = [one for day in range(4) for arm in ("treatment", "control") for one in alike(arm, 2_000, 1, 0.2, day)]
    assert effect_of(*rows) == pytest.approx(4, rel=0.01)


def test_what_the_arms_share_of_a_person_cancels():
    # Drawn per message: everybody gets two messages of either arm and answers all or none.
    rows = [one for arm in ("treatment", "control") for one in alike(arm, 2_000, 2, 0.2, name="both")]
    assert effect_of(*rows) == pytest.approx(1, abs=0.01)


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


def test_a_message_without_a_key_is_a_person_of_its_own():
    rows = [*alike("treatment", 500, 4, 0.2), *alike("control", 500, 4, 0.2)]
    unkeyed = [("treatment", 0, None, 2_000, 400), ("control", 0, None, 2_000, 400)]
    assert effect_of(*rows, unkeyed=unkeyed) == pytest.approx((4 + 1) / 2, rel=0.01)
    both = arms(*rows, *unkeyed)
    found = clusters([people(*rows)], weights_of(0, NAMES, *both))[0]
    arm = clustered(both[0], "treatment", found, design_effect(*both, found))
    assert (arm.users, arm.keyed_messages, arm.variance) == (500 + 2_000, 2_000, "partly")


def test_where_the_split_is_over_people_messages_without_a_key_count_as_the_others_do_or_as_assumed():
    rows = [*alike("treatment", 500, 4, 0.2), *alike("control", 500, 4, 0.2)]
    unkeyed = [("treatment", 0, None, 2_000, 400), ("control", 0, None, 2_000, 400)]
    # Half of the messages have a key: whoever shows 4 alike has 7 in all.
    assert effect_of(*rows, unkeyed=unkeyed, unknown=Unknown()) == pytest.approx(7, rel=0.01)
    assert effect_of(*rows, unkeyed=unkeyed, unknown=Unknown(2.0)) == pytest.approx((4 + 2) / 2, rel=0.01)
    days = [(arm, day, None, 1_000, 200) for arm in ("treatment", "control") for day in range(11)]
    assert effect_of(unkeyed=days, unknown=Unknown()) == pytest.approx(1 + 10 * 0.3, rel=0.01)
    assert effect_of(unkeyed=days) == pytest.approx(1, rel=0.01)


def test_few_people_tell_less():
    few, many = ([*alike("treatment", k, 2, 0.5), *alike("control", k, 2, 0.5)] for k in (6, 6_000))
    assert effect_of(*few) > 1.3 * effect_of(*many)


def test_nothing_that_varies_has_no_design_effect():
    assert effect_of(*alike("treatment", 50, 4, 0), *alike("control", 50, 4, 0)) == 1.0
    assert effect_of() == 1.0


def test_a_day_of_one_arm_counts_its_people_and_moves_nothing():
    rows = [*alike("treatment", 100, 1, 0.5), *alike("control", 100, 1, 0.5), *alike("treatment", 100, 9, 0.5, day=1)]
    both = arms(*rows)
    found = clusters([people(*rows)], weights_of(0, NAMES, *both))[0]
    assert sum(found.keyed.values()) == 100 + 100 + 900
    assert found.users["treatment"] == 100
    assert np.isclose(design_effect(*both, found).effect, effect_of(*rows[:200]))


def test_one_comparison_over_several_templates_adds_up_what_each_moves_a_person():
    rows = [*alike("treatment", 50, 2, 0.5), *alike("control", 50, 2, 0.5, name="c")]
    weights = weights_of(0, NAMES, *arms(*rows))
    twice = pl.concat([weights, weights.with_columns(template=pl.lit("other"))])
    both = pl.concat([people(*rows), people(*rows).with_columns(template=pl.lit("other"))])
    once, doubled = clusters([people(*rows)], weights)[0], clusters([both], twice)[0]
    assert doubled.squares == pytest.approx(4 * once.squares)
