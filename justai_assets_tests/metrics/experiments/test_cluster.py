import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.metrics.experiments.cluster import MOMENTS, USER_COUNTS, Moments, design_effect, moments


def users(*rows):
    whole = [("welcome", "treatment", "click", 72, *row) for row in rows]
    return pl.LazyFrame(whole, schema=USER_COUNTS, orient="row")


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


def test_moments_sum_a_persons_copies_before_they_are_squared():
    found = moments(users(("a", "u1", 2, 1), ("b", "u1", 3, 3), ("a", "u2", 1, 0), (None, "u2", 1, 1)))
    assert found.schema == MOMENTS
    whole = found.filter(pl.col("copy_id").is_null()).row(0, named=True)
    assert (whole["users"], whole["messages"], whole["successes"]) == (2, 7, 5)
    assert (whole["messages_squared"], whole["successes_squared"], whole["cross"]) == (25 + 4, 16 + 1, 20 + 2)
    copies = found.filter(pl.col("copy_id").is_not_null())
    assert copies.select("copy_id", "users", "messages").rows() == [("a", 2, 3), ("b", 1, 3)]


def test_a_message_without_a_key_is_a_person_of_its_own():
    found = moments(users((None, None, 1, 1), (None, None, 1, 0), (None, "u1", 4, 0)))
    assert found.select("users", "messages", "messages_squared").row(0) == (3, 6, 18.0)


def test_moments_name_nobody():
    assert "user" not in moments(users(("a", "u1", 2, 1))).columns


def test_no_people_no_moments():
    assert moments(users()).is_empty()
