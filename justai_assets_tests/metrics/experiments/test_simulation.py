"""The promises of the statistics, tried on data whose truth is known; limits are Monte-Carlo errors."""

import numpy as np
import pytest

from justai_assets.metrics.experiments.arms import Arm
from justai_assets.metrics.experiments.cluster import Moments, design_effect
from justai_assets.metrics.experiments.compare import compare
from justai_assets.metrics.experiments.intervals import difference_interval, difference_z, ratio_interval, ratio_z
from justai_assets.metrics.experiments.power import needed_spread
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.metrics.experiments.sample_ratio import always_valid_ratio_p, check_ratio
from justai_assets.metrics.experiments.sequential import critical, spread

ALPHA, RULES, DAYS = 0.05, Rules(), 30


def four_errors(rate, runs):
    """Four standard errors of a share measured in so many runs."""
    return 4 * np.sqrt(rate * (1 - rate) / runs)


def daily_counts(rng, runs, per_day, rates, days=DAYS):
    """Cumulative (x1, n1, x0, n0) of each run and day; arms of 90 % and 10 %."""
    n1, n0 = int(per_day * 0.9), int(per_day * 0.1)
    x1 = rng.binomial(n1, rates[0], (runs, days)).cumsum(axis=1)
    x0 = rng.binomial(n0, rates[1], (runs, days)).cumsum(axis=1)
    return x1, np.arange(1, days + 1) * n1, x0, np.arange(1, days + 1) * n0


def looks(counts):
    """The days on which a look counts: both arms have the minimum sample."""
    x1, n1, x0, n0 = np.broadcast_arrays(*counts)
    few = (np.minimum(x1, x0) < RULES.minimum_successes) | (np.minimum(n1, n0) < RULES.minimum_messages)
    return np.where(few, 0.0, spread(x1, n1, x0, n0, target_lift=RULES.target_lift))


@pytest.mark.parametrize(("rate", "messages"), [(0.4, 1_000), (0.05, 10_000), (0.01, 50_000)])
def test_an_a_a_test_looked_at_once_errs_as_often_as_it_says(rate, messages):
    rng, runs = np.random.default_rng(1), 40_000
    n1, n0 = messages * 9 // 10, messages // 10
    z = difference_z(rng.binomial(n1, rate, runs), n1, rng.binomial(n0, rate, runs), n0)
    # Counts are whole numbers, so the exact rate of a score test wanders a little around the nominal one.
    assert abs((np.abs(z) > 1.959964).mean() - ALPHA) < four_errors(ALPHA, runs) + 0.003


@pytest.mark.parametrize(("rate", "per_day"), [(0.4, 500), (0.05, 2_000), (0.005, 40_000)])
def test_an_a_a_test_looked_at_every_day_for_a_month_keeps_its_promise_only_with_the_always_valid_interval(
    rate, per_day
):
    rng, runs = np.random.default_rng(2), 8_000
    counts = daily_counts(rng, runs, per_day, (rate, rate))
    z, bound = difference_z(*counts), critical(looks(counts), alpha=ALPHA)
    peeked = (np.abs(z) > 1.959964).any(axis=1).mean()
    always = (np.abs(z) > bound).any(axis=1).mean()
    assert peeked > 0.15
    assert always < ALPHA + four_errors(ALPHA, runs)
    # It is an interval, not a refusal to answer: some honest errors remain.
    assert always > 0.001


@pytest.mark.parametrize(("control", "ratio"), [(0.05, 1.2), (0.01, 0.7), (0.4, 1.05)])
def test_the_interval_of_the_lift_holds_the_true_lift_as_often_as_it_says(control, ratio):
    rng, runs = np.random.default_rng(3), 6_000
    n1, n0 = 18_000, 2_000
    low, high = ratio_interval(rng.binomial(n1, control * ratio, runs), n1, rng.binomial(n0, control, runs), n0)
    held = ((low <= ratio) & (ratio <= high)).mean()
    assert abs(held - 0.95) < four_errors(0.95, runs) + 0.004


def test_the_interval_of_the_difference_holds_the_true_difference_as_often_as_it_says():
    rng, runs = np.random.default_rng(4), 6_000
    n1, n0 = 9_000, 1_000
    low, high = difference_interval(rng.binomial(n1, 0.06, runs), n1, rng.binomial(n0, 0.05, runs), n0)
    held = ((low <= 0.01) & (high >= 0.01)).mean()
    assert abs(held - 0.95) < four_errors(0.95, runs) + 0.004


def test_the_always_valid_interval_holds_a_true_lift_on_all_days_of_a_month_together():
    rng, runs = np.random.default_rng(5), 6_000
    counts = daily_counts(rng, runs, 3_000, (0.06, 0.05))
    outside = np.abs(ratio_z(*counts, 1.2)) > critical(looks(counts), alpha=ALPHA)
    assert outside.any(axis=1).mean() < ALPHA + four_errors(ALPHA, runs)


def test_the_planned_sample_shows_the_target_lift_as_often_as_planned():
    rng, runs, control = np.random.default_rng(6), 6_000, 0.05
    # Messages at which the spread, computed at the pooled rate, is what the plan asks for.
    pooled = control * (0.1 + 0.9 * 1.1)
    messages = needed_spread(RULES) / (RULES.target_lift**2 * pooled / (1 - pooled) * 0.09)
    n1, n0 = int(messages * 0.9), int(messages * 0.1)
    counts = (rng.binomial(n1, control * 1.1, runs), n1, rng.binomial(n0, control, runs), n0)
    seen = difference_z(*counts) > critical(looks(counts), alpha=ALPHA)
    # The target is a lift of the control's rate, the spread one of the pooled rate 9 % above it: a little less is seen.
    assert 0.65 < seen.mean() < 0.85


def clustered_arm(rng, runs, users, rate, alike):
    """Messages and successes per user: each user has a rate of their own, and receives 1 to about 15 messages."""
    own = rng.beta(rate * (1 / alike - 1), (1 - rate) * (1 / alike - 1), (runs, users))
    messages = 1 + rng.geometric(0.25, (runs, users))
    return messages, rng.binomial(messages, own)


def arms_of(messages, successes):
    sums = (
        messages.sum(1),
        successes.sum(1),
        (messages**2).sum(1),
        (successes**2).sum(1),
        (messages * successes).sum(1),
    )
    users = messages.shape[1]
    return [
        Arm(int(m), int(x), users, design_effect(Moments(users, m, x, mm, xx, mx)))
        for m, x, mm, xx, mx in zip(*sums, strict=True)
    ]


def test_when_people_answer_alike_the_naive_interval_errs_and_the_clustered_one_does_not():
    rng, runs = np.random.default_rng(7), 3_000
    treatment = arms_of(*clustered_arm(rng, runs, 2_700, 0.1, alike=0.3))
    control = arms_of(*clustered_arm(rng, runs, 300, 0.1, alike=0.3))
    naive = [
        (Arm(t.messages, t.successes), Arm(c.messages, c.successes)) for t, c in zip(treatment, control, strict=True)
    ]
    clustered = list(zip(treatment, control, strict=True))

    def errs(pairs):
        return np.mean([one.p_value < ALPHA for one in compare(pairs, RULES)])

    assert errs(naive) > 0.15
    assert abs(errs(clustered) - ALPHA) < four_errors(ALPHA, runs) + 0.005
    assert {one.variance for one in compare(clustered, RULES)} == {"user"}
    assert {one.variance for one in compare(naive, RULES)} == {"message"}


@pytest.mark.slow
def test_peeking_every_day_at_people_who_come_back_keeps_its_promise():
    rng, runs, users = np.random.default_rng(8), 400, (1_800, 200)
    own = [rng.beta(0.1, 0.9, (runs, k)) for k in users]
    messages, successes = ([np.zeros((runs, k), dtype=np.int64) for k in users] for _ in range(2))
    naive, clustered = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for _ in range(DAYS):
        for arm in (0, 1):
            sent = rng.random(own[arm].shape) < 0.3
            messages[arm] += sent
            successes[arm] += sent & (rng.random(own[arm].shape) < own[arm])
        treatment, control = (arms_of(messages[arm], successes[arm]) for arm in (0, 1))
        x1, n1, x0, n0 = (
            np.array([getattr(arm, name) for arm in arms])
            for arms in (treatment, control)
            for name in ("effective_successes", "effective_messages")
        )
        raw = [
            np.array([getattr(arm, name) for arm in arms])
            for arms in (treatment, control)
            for name in ("successes", "messages")
        ]
        enough = (np.minimum(raw[0], raw[2]) >= 20) & (np.minimum(raw[1], raw[3]) >= 200)
        for counts, found in (((x1, n1, x0, n0), clustered), (tuple(raw), naive)):
            # A target that this few people could show; for +10 % the interval would hardly say anything.
            known = np.where(enough, spread(*counts, target_lift=0.5), 0.0)
            found |= np.abs(difference_z(*counts)) > critical(known, alpha=ALPHA)
    assert naive.mean() > 2 * ALPHA
    assert 0 < clustered.mean() < ALPHA + four_errors(ALPHA, runs)


def test_an_honest_split_looked_at_every_day_is_hardly_ever_called_broken():
    rng, runs = np.random.default_rng(9), 20_000
    control = rng.binomial(2_000, 0.1, (runs, DAYS)).cumsum(axis=1)
    total = np.arange(1, DAYS + 1) * 2_000
    alarms = (always_valid_ratio_p(total - control, control, 0.1) < 0.01).any(axis=1).mean()
    assert alarms < 0.01 + four_errors(0.01, runs)


def test_a_split_that_is_a_point_off_is_caught():
    rng, runs = np.random.default_rng(10), 500
    control = rng.binomial(50_000, 0.11, runs)
    caught = [check_ratio(50_000 - c, c, control_share=0.1).is_broken for c in control.tolist()]
    assert np.mean(caught) > 0.99
