from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.experiments.allocation import MINIMUM_SENDS, allocation

FIRST = date(2026, 1, 1)
STEADY = [(900, 100)] * 20


def of(*days):
    return allocation({FIRST + timedelta(at): counts for at, counts in enumerate(days)})


def spans(found):
    return [((one.first - FIRST).days, (one.last - FIRST).days) for one in found.periods]


def test_a_steady_share_is_one_period():
    found = of(*STEADY)
    assert (spans(found), found.changes, found.stopped) == ([(0, 19)], (), None)
    assert found.periods[0].control_share == pytest.approx(0.1)


def test_honest_draws_of_a_share_are_hardly_ever_cut():
    rng, cut = np.random.default_rng(1), 0
    for _ in range(500):
        control = rng.binomial(500, 0.1, 60).tolist()
        found = of(*((500 - count, count) for count in control))
        cut += spans(found) != [(0, 59)]
    assert cut <= 1


@pytest.mark.parametrize(
    ("days", "expected", "changes"),
    [
        ([(560, 440), *STEADY], [(1, 20)], [0]),
        ([*STEADY, (960, 40), (1_000, 0), (1_000, 0)], [(0, 19)], [20]),
        ([*STEADY, *[(500, 500)] * 3], [(0, 19), (20, 22)], []),
        ([*STEADY, (700, 300), *[(500, 500)] * 3], [(0, 19), (21, 23)], [20]),
        ([(1, 1_000), *[(0, 1_000)] * 6, *STEADY], [(7, 26)], []),
        ([(0, 0), *STEADY], [(1, 20)], []),
    ],
)
def test_a_day_on_which_a_share_changed_is_left_out(days, expected, changes):
    found = of(*days)
    assert spans(found) == expected
    assert [(day - FIRST).days for day in found.changes] == changes


def test_the_arm_that_stopped_is_named():
    assert of(*STEADY, (1_000, 0), (1_000, 0)).stopped == "control"
    assert of(*STEADY, (0, 1_000)).stopped == "treatment"
    assert of(*STEADY).stopped is None


def test_a_share_that_is_off_by_less_than_half_is_no_new_period():
    # It is for the sample-ratio check to find.
    assert spans(of(*STEADY, *[(4_400, 600)] * 20)) == [(0, 39)]


def test_before_both_arms_have_sent_there_is_no_period():
    assert of() == of((100, 0), (90, 0))
    assert spans(of((100, 0), (90, 0))) == []


def test_a_handful_of_sends_is_shown_until_there_is_more():
    assert spans(of((MINIMUM_SENDS - 1, 2))) == [(0, 0)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30))
def test_periods_and_changes_are_disjoint_days_in_order(days):
    found = of(*days)
    inside = [FIRST + timedelta(at) for at in range(len(days)) if FIRST + timedelta(at) in found]
    assert not set(inside) & set(found.changes)
    assert [one.first for one in found.periods] == sorted(one.first for one in found.periods)
    sent = [counts for at, counts in enumerate(days) if any(FIRST + timedelta(at) in one for one in found.periods)]
    assert sum(n for n, _ in sent) == sum(one.treatment for one in found.periods)
    assert all(one.treatment and one.control for one in found.periods)
