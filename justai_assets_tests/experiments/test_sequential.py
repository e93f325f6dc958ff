import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.experiments.sequential import always_valid_p, critical, spread


@settings(deadline=None)
@given(st.floats(0.01, 1e5), st.floats(0, 12), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_p_value_falls_below_alpha_exactly_where_the_interval_ends(information, z, alpha):
    bound = float(critical(information, alpha=alpha))
    if abs(z - bound) > 1e-9:
        assert (float(always_valid_p(z, information)) < alpha) == (z > bound)


def test_looking_every_day_costs_width_but_not_much():
    assert 1.96 < float(critical(7.9, alpha=0.05)) < 1.6 * 1.96


def test_the_half_width_is_smallest_where_the_docstring_says():
    grid = np.linspace(1, 40, 4000)
    width = critical(grid, alpha=0.05) / np.sqrt(grid)
    # For a given information I the width c(I τ²)/√I depends on τ through c alone.
    assert abs(grid[np.argmin(critical(grid, alpha=0.05))] - 8.2) < 0.1
    assert (np.diff(width) < 0).all()


@pytest.mark.parametrize("sample", [(0, 0, 0, 0), (0, 100, 0, 100), (100, 100, 100, 100), (5, 100, 0, 0)])
def test_nothing_is_known_without_both_successes_and_failures_in_two_arms(sample):
    known = spread(*sample, target_lift=0.1)
    assert known == 0
    assert critical(known, alpha=0.05) == np.inf
    assert always_valid_p(3.0, known) == 1


def test_the_spread_is_the_squared_target_over_the_variance():
    x1, n1, x0, n0 = 450, 9000, 50, 1000
    rate = (x1 + x0) / (n1 + n0)
    variance = rate * (1 - rate) * (1 / n1 + 1 / n0)
    assert float(spread(x1, n1, x0, n0, target_lift=0.1)) == pytest.approx((0.1 * rate) ** 2 / variance)
