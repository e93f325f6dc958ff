"""What a message brings, compared: the formulas, and what simulations of money say of them."""

from datetime import date, timedelta
from math import inf, isinf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_ind

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.clustered_variance import Clusters
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.design_effect import design_effect
from justai_assets.experiments.mean_difference import Paid, compare_means, fieller

DAY = date(2026, 1, 5)
RULES = Rules()


def paid(*days, effect=1.0, users=None):
    """An arm from what each message of each day brought."""
    values = np.concatenate([np.asarray(one, float) for one in days]) if days else np.zeros(0)
    sums = {
        DAY + timedelta(at): (len(one), float(np.sum(one)), float(np.sum(np.square(one))))
        for at, one in enumerate(days)
    }
    arm = Arm(len(values), int((values > 0).sum()), users, effect, value=float(values.sum()))
    return Paid(arm, {day: one for day, one in sums.items() if one[0]})


def orders(luck, messages, share=0.2, mean=30.0):
    """Most messages bring nothing; the others a skewed amount."""
    return np.where(luck.random(messages) < share, luck.gamma(1.5, mean / 1.5, messages), 0.0)


def test_one_day_is_welchs_test_of_the_means():
    luck = np.random.default_rng(1)
    a, b = orders(luck, 4000), orders(luck, 3000, share=0.25)
    found = compare_means(paid(a), paid(b), RULES)
    welch = ttest_ind(a, b, equal_var=False)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(welch.statistic)))
    low, high = welch.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), rel=5e-3)
    assert found.treatment.rate == pytest.approx(a.mean())
    assert found.lift.value == pytest.approx(a.mean() / b.mean() - 1)
    assert found.lift.always_low < found.lift.low < found.lift.value < found.lift.high < found.lift.always_high


def test_a_level_that_drifts_while_shares_move_is_no_difference():
    """Day 1 brings 1 and mostly control, day 2 brings 9 and mostly treatment: pooled, the treatment brings far more."""
    luck = np.random.default_rng(2)
    few, many = (lambda n: luck.normal(1.0, 0.1, n)), (lambda n: luck.normal(9.0, 0.1, n))
    found = compare_means(paid(few(300), many(3000)), paid(few(3000), many(300)), RULES)
    assert found.treatment.rate > 2 * found.control.rate, "what is shown is pooled"
    assert abs(found.lift.value) < 0.01
    assert found.p_value > 0.01


def test_without_a_common_day_nothing_is_compared():
    found = compare_means(paid([1.0] * 300, []), paid([], [1.0] * 300), RULES)
    assert (found.p_value, found.lift.value, found.difference.always_low) == (None, None, None)
    assert "never sent on the same day" in found.note


def test_too_few_that_brought_anything_have_no_interval_for_every_day():
    luck = np.random.default_rng(3)
    found = compare_means(paid(orders(luck, 5000, share=0.003)), paid(orders(luck, 5000)), RULES)
    assert not found.is_enough
    assert (found.lift.always_low, found.lift.always_high, found.always_valid_p) == (None, None, 1.0)


def test_a_control_that_brings_nothing_has_no_lift():
    found = compare_means(paid([0.0] * 200 + [5.0] * 100), paid([0.0] * 300), RULES)
    assert (found.lift.value, found.lift.high) == (None, None)
    assert found.difference.value == pytest.approx(5 / 3)


@given(
    st.floats(0.01, 100), st.floats(0.01, 100), st.floats(1e-4, 100), st.floats(1e-4, 100), st.floats(0.5, 5),
)  # fmt: skip
@settings(max_examples=200)
def test_fieller_holds_exactly_the_ratios_that_the_means_allow(r, s, v1, v0, c):
    low, high = fieller(r, s, v1, v0, c)

    def is_allowed(theta):
        return (r - theta * s) ** 2 <= c**2 * (v1 + theta**2 * v0)

    assert is_allowed(r / s)
    assert low <= r / s <= high
    if low > 0:
        assert is_allowed(low * 1.001)
        assert not is_allowed(low * 0.999)
    else:
        assert is_allowed(0.0)
    if not isinf(high):
        assert is_allowed(high * 0.999)
        assert not is_allowed(high * 1.001)
    else:
        assert is_allowed(1e9)


def test_an_endless_critical_value_bounds_nothing():
    assert fieller(1.0, 1.0, 1.0, 1.0, inf) == (-inf, inf)


def clustered_effect(received, messages):
    """The design effect of two arms of people, out of what each message brought."""
    arms, psi, spreads, keyed = [], [], {}, {}
    sizes = [sum(one) for one in received]
    h = sizes[0] * sizes[1] / sum(sizes)
    for name, m, brought in zip(("treatment", "control"), received, messages, strict=True):
        every = np.concatenate(brought)
        n, mean = len(every), every.mean()
        arms.append(Arm(n, int((every > 0).sum()), days={DAY: (n, float(every.sum()))}, value=float(every.sum())))
        psi += [h / n * (one.sum() - mean * k) for k, one in zip(m, brought, strict=True)]
        spreads[name, DAY], keyed[name, DAY] = every.var(ddof=1), n
    found = Clusters(float(np.square(psi).sum()), {"treatment": len(received[0]), "control": len(received[1])}, keyed)
    return design_effect(*arms, found, spreads=spreads).effect


def test_an_amount_is_clustered_by_person_as_a_success_is():
    luck = np.random.default_rng(4)
    alike = [[np.full(5, taste) for taste in luck.gamma(0.5, 10, 500)] for _ in range(2)]
    assert clustered_effect([[5] * 500] * 2, alike) == pytest.approx(5, rel=0.02)
    apart = [[luck.gamma(0.5, 10, 5) for _ in range(500)] for _ in range(2)]
    assert clustered_effect([[5] * 500] * 2, apart) == pytest.approx(1, abs=0.15)


def p_values(luck, runs, days=5):
    """p of one look, A/A, over days whose level triples while the treatment's share goes from 20 to 80 %."""
    found = []
    for _ in range(runs):
        arms = []
        for shares in (np.linspace(0.2, 0.8, days), np.linspace(0.8, 0.2, days)):
            arms.append(
                [
                    orders(luck, int(600 * share), share=0.1, mean=10 * (1 + 2 * at / days))
                    for at, share in enumerate(shares)
                ]
            )
        found.append(compare_means(paid(*arms[0]), paid(*arms[1]), RULES).p_value)
    return np.array(found)


def test_one_look_at_two_equal_copies_errs_in_five_percent_while_level_and_shares_move():
    share = (p_values(np.random.default_rng(5), 1000) < 0.05).mean()
    assert abs(share - 0.05) < 3 * sqrt(0.05 * 0.95 / 1000)


def test_people_who_answer_alike_do_not_make_false_alarms():
    """Each person gets five messages and spends alike on all of them: by message every third run would alarm."""
    luck, alarms, naive = np.random.default_rng(6), 0, 0
    for _ in range(400):
        tastes = [orders(luck, 300, share=0.3) for _ in range(2)]
        messages = [[np.full(5, taste) for taste in one] for one in tastes]
        effect = clustered_effect([[5] * 300] * 2, messages)
        each = [np.repeat(one, 5) for one in tastes]
        arms = [paid(one, effect=effect, users=300) for one in each]
        plain = [paid(one) for one in each]
        alarms += compare_means(*arms, RULES).p_value < 0.05
        naive += compare_means(*plain, RULES).p_value < 0.05
    assert alarms / 400 <= 0.05 + 3 * sqrt(0.05 * 0.95 / 400)
    assert naive / 400 > 0.25


def test_a_look_every_day_for_thirty_days_errs_in_five_percent_at_most():
    luck, alarms, runs = np.random.default_rng(7), 0, 300

    def until(one, day):
        days = {at: sums for at, sums in one.days.items() if at < DAY + timedelta(day)}
        messages = sum(n for n, _, _ in days.values())
        # Every seventh brings something: after the first day the minimum is there.
        return Paid(Arm(messages, messages // 7, value=sum(total for _, total, _ in days.values())), days)

    for _ in range(runs):
        arms = [paid(*(orders(luck, 200, share=0.15) for _ in range(30))) for _ in range(2)]
        alarms += any(
            compare_means(*(until(one, day) for one in arms), RULES).always_valid_p < 0.05 for day in range(1, 31)
        )
    assert alarms / runs <= 0.05 + 2 * sqrt(0.05 * 0.95 / runs)


def test_the_interval_of_the_lift_holds_the_truth():
    luck, held = np.random.default_rng(8), 0
    for _ in range(500):
        found = compare_means(
            paid(*(orders(luck, 400, share=0.24) for _ in range(4))),
            paid(*(orders(luck, 400) for _ in range(4))),
            RULES,
        )
        held += found.lift.low <= 0.2 <= found.lift.high
    assert abs(held / 500 - 0.95) < 3 * sqrt(0.05 * 0.95 / 500)
