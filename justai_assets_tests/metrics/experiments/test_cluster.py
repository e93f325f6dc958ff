from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.metrics.experiments.cluster import (
    MOMENTS,
    PEOPLE,
    SUMS,
    Moments,
    added,
    design_effect,
    moments,
    person_sums,
)
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.errors import ExperimentError

DAY = date(2026, 1, 1)


def people(*rows):
    """Rows of (copy, user, messages, clicked)."""
    arm = ("welcome", "treatment")
    sent = [(*arm, copy, DAY, user, None, None, m, 0) for copy, user, m, _ in rows]
    clicked = [(*arm, copy, DAY, user, "click", 72, 0, x) for copy, user, _, x in rows if x]
    return pl.LazyFrame(sent + clicked, schema=PEOPLE, orient="row")


def counts(*rows):
    """Rows of (copy, messages, clicked)."""
    whole = [("welcome", "treatment", "click", 72, True, DAY, copy, m, x) for copy, m, x in rows]
    return pl.DataFrame(whole, schema=COUNTS, orient="row")


def found(*rows, nameless=()):
    return moments(person_sums(people(*rows)), counts(*((copy, m, x) for copy, _, m, x in rows), *nameless))


def sums_of(people):
    return Moments(
        len(people),
        sum(m for m, _ in people),
        sum(x for _, x in people),
        float(sum(m * m for m, _ in people)),
        float(sum(x * x for _, x in people)),
        float(sum(m * x for m, x in people)),
    )


def test_one_message_a_person_is_no_cluster():
    people = [(1, 1)] * 300 + [(1, 0)] * 2_700
    assert design_effect(sums_of(people)) == pytest.approx(1.0, abs=0.005)


def test_people_who_always_answer_alike_count_once():
    people = [(5, 5)] * 300 + [(5, 0)] * 2_700
    assert design_effect(sums_of(people)) == pytest.approx(5.0, rel=0.005)


def test_the_six_sums_give_the_variance_that_the_people_give():
    people = [(3, 1), (8, 4), (1, 0), (5, 5), (2, 0), (9, 1)] * 50
    rate = sum(x for _, x in people) / sum(m for m, _ in people)
    total, k = sum(m for m, _ in people), len(people)
    variance = k / (k - 1) * sum((x - rate * m) ** 2 for m, x in people) / total**2
    assert design_effect(sums_of(people)) == pytest.approx(variance / (rate * (1 - rate) / total), rel=0.02)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=40))
def test_a_design_effect_is_a_finite_number_of_at_least_one(people):
    effect = design_effect(sums_of([(m, min(m, x)) for m, x in people]))
    assert 1.0 <= effect < float("inf")


def test_without_a_success_the_worst_case_is_assumed():
    assert design_effect(sums_of([(4, 0)] * 50)) == 4.0
    assert design_effect(sums_of([(7, 3)])) == 7.0


def test_few_people_tell_less():
    few, many = [(2, 1), (2, 0)] * 3, [(2, 1), (2, 0)] * 3_000
    assert design_effect(sums_of(few)) > 1.5 * design_effect(sums_of(many))


def test_moments_sum_a_persons_copies_and_days_before_they_are_squared():
    rows = found(("a", "u1", 2, 1), ("b", "u1", 3, 3), ("a", "u2", 1, 0), (None, "u2", 1, 1))
    assert rows.schema == MOMENTS
    whole = rows.filter(pl.col("copy_id").is_null()).row(0, named=True)
    assert (whole["users"], whole["messages"], whole["successes"], whole["keyed_messages"]) == (2, 7, 5, 7)
    assert (whole["messages_squared"], whole["successes_squared"], whole["cross"]) == (25 + 4, 16 + 1, 20 + 2)
    copies = rows.filter(pl.col("copy_id").is_not_null())
    assert copies.select("copy_id", "users", "messages").rows() == [("a", 2, 3), ("b", 1, 3)]


def test_a_message_without_a_key_is_a_person_of_its_own():
    (row,) = found((None, "u1", 4, 0), nameless=[(None, 2, 1)]).to_dicts()
    assert (row["users"], row["messages"], row["successes"], row["keyed_messages"]) == (3, 6, 1, 4)
    assert (row["messages_squared"], row["successes_squared"], row["cross"]) == (18.0, 1.0, 1.0)


def test_an_arm_without_any_key_has_no_moments():
    assert found(nameless=[(None, 2, 1)]).is_empty()


def test_a_metric_at_which_nobody_succeeded_has_moments_too():
    (row,) = found((None, "u1", 4, 0)).to_dicts()
    assert (row["successes"], row["successes_squared"], row["cross"]) == (0, 0.0, 0.0)


@pytest.mark.parametrize("wrong", [counts((None, 3, 0)), counts((None, 4, 0)), counts((None, 5, 3))])
def test_people_of_other_messages_than_were_counted_are_refused(wrong):
    with pytest.raises(ExperimentError, match="different messages"):
        moments(person_sums(people((None, "u1", 4, 1))), wrong)


def test_more_people_than_messages_are_refused():
    with pytest.raises(ExperimentError, match="3 people received 2 messages"):
        Moments(3, 2, 0, 2.0, 0.0, 0.0)


def test_the_sums_of_some_people_and_of_the_others_are_the_sums_of_all():
    some, others = people(("a", "u1", 2, 1), ("b", "u1", 3, 3)), people(("a", "u2", 1, 0), ("a", "u3", 1, 1))
    whole = added([person_sums(pl.concat([some, others]))])
    parts = added([person_sums(some), person_sums(others)])
    order = ["copy_id", "metric"]
    assert whole.sort(order).equals(parts.sort(order))
    assert set(whole.columns) == set(SUMS.names())


def test_sums_name_nobody():
    assert "user" not in person_sums(people(("a", "u1", 2, 1))).columns


def test_no_people_no_moments():
    assert found().is_empty()
