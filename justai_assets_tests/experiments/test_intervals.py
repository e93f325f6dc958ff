import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.proportion import confint_proportions_2indep

from justai_assets.experiments.intervals import (
    difference_interval,
    difference_z,
    ratio_interval,
    ratio_z,
    two_sided_critical,
    two_sided_p,
)


@st.composite
def counts(draw):
    n1, n0 = draw(st.integers(1, 100_000)), draw(st.integers(1, 100_000))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n0)), n0


def brute_force_z(x1, n1, x0, n0, difference):
    """The statistic with the constrained rates found by maximising the likelihood itself."""

    def loss(p0):
        p1 = p0 + difference
        return -(x1 * np.log(p1) + (n1 - x1) * np.log1p(-p1) + x0 * np.log(p0) + (n0 - x0) * np.log1p(-p0))

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    p0 = minimize_scalar(loss, bounds=(low + 1e-12, high - 1e-12), method="bounded", options={"xatol": 1e-13}).x
    p1, total = p0 + difference, n1 + n0
    variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)
    return (x1 / n1 - x0 / n0 - difference) / np.sqrt(variance)


@pytest.mark.parametrize("sample", [(378, 2307, 1038, 4986), (56, 2524, 425, 1692), (3, 31, 2, 6), (90, 9000, 5, 1000)])
def test_the_interval_of_the_difference_is_what_maximising_the_likelihood_gives(sample):
    x1, n1, x0, n0 = sample
    point = x1 / n1 - x0 / n0
    low = brentq(lambda d: brute_force_z(*sample, d) - 1.959964, -0.99, point)
    high = brentq(lambda d: brute_force_z(*sample, d) + 1.959964, point, 0.99)
    found = difference_interval(*sample, critical=1.959964)
    assert np.allclose(found, (low, high), atol=1e-7)


@pytest.mark.parametrize(
    "sample", [(56, 70, 48, 80), (620, 9000, 50, 1000), (20, 90_000, 3, 10_000), (999, 1000, 90, 100)]
)
def test_the_interval_of_the_ratio_is_that_of_statsmodels(sample):
    theirs = confint_proportions_2indep(*sample, method="score", compare="ratio", correction=True)
    assert np.allclose(ratio_interval(*sample), theirs, rtol=1e-4)


def test_the_published_example_of_miettinen_and_nurminens_method_comes_out():
    # Newcombe (1998), Statistics in Medicine 17:873-890, table II, example (a), method 6.
    assert np.allclose(difference_interval(56, 70, 48, 80), (0.0528, 0.3382), atol=5e-5)


@settings(deadline=None)
@given(counts(), st.sampled_from([1.96, 3.0, 4.5]))
def test_the_test_and_both_intervals_never_contradict_each_other(sample, critical):
    z = float(difference_z(*sample))
    # Two ways to the same statistic; at |z| of hundreds, where nothing is decided, they agree to five digits.
    assert np.isclose(z, float(ratio_z(*sample)), rtol=1e-6 if abs(z) < 50 else 1e-5, atol=1e-9)
    if abs(abs(z) - critical) < 1e-6:
        return
    low, high = difference_interval(*sample, critical=critical)
    ratio_low, ratio_high = ratio_interval(*sample, critical=critical)
    outside = abs(z) > critical
    assert outside == (not low <= 0 <= high)
    assert outside == (not ratio_low <= 1 <= ratio_high)


@settings(deadline=None)
@given(counts())
def test_an_interval_holds_what_was_measured_and_stays_among_the_possible(sample):
    x1, n1, x0, n0 = sample
    low, high = difference_interval(*sample)
    ratio_low, ratio_high = ratio_interval(*sample)
    assert -1 <= low <= x1 / n1 - x0 / n0 <= high <= 1
    assert 0 <= ratio_low <= ratio_high
    if x0:
        assert ratio_low - 1e-12 <= (x1 / n1) / (x0 / n0) <= ratio_high * (1 + 1e-12)
    else:
        assert ratio_high == np.inf


@settings(deadline=None)
@given(counts())
def test_swapping_the_arms_mirrors_the_interval(sample):
    x1, n1, x0, n0 = sample
    low, high = difference_interval(x1, n1, x0, n0)
    mirrored_low, mirrored_high = difference_interval(x0, n0, x1, n1)
    assert np.allclose((low, high), (-mirrored_high, -mirrored_low), atol=1e-7)  # the root search stops at 1e-8


def test_an_empty_arm_says_nothing():
    assert difference_z(0, 0, 3, 10) == 0
    assert [float(end) for end in difference_interval(0, 0, 3, 10)] == [-1, 1]
    assert [float(end) for end in ratio_interval(3, 10, 0, 0)] == [0, np.inf]


@pytest.mark.parametrize("sample", [(0, 100, 0, 100), (100, 100, 100, 100), (1, 1, 1, 1), (0, 1, 0, 1)])
def test_arms_that_agree_entirely_still_leave_room(sample):
    low, high = difference_interval(*sample)
    assert difference_z(*sample) == 0
    assert low < 0 < high


def test_rates_of_one_in_a_million_keep_their_digits():
    low, high = difference_interval(12, 9_000_000, 3, 1_000_000)
    for end in (low, high):
        assert abs(abs(float(difference_z(12, 9_000_000, 3, 1_000_000, end))) - 1.959964) < 1e-4
    assert low < 12 / 9e6 - 3 / 1e6 < high


def test_many_pairs_at_once_are_the_pairs_one_by_one():
    x1, x0 = np.array([5, 0, 70]), np.array([3, 4, 70])
    together = difference_interval(x1, 100, x0, 80)
    for at in range(3):
        assert np.allclose([end[at] for end in together], difference_interval(x1[at], 100, x0[at], 80))


def test_the_p_value_is_that_of_the_normal_law():
    assert np.isclose(two_sided_p(two_sided_critical(0.05)), 0.05)
    assert two_sided_p(np.inf) == 0
