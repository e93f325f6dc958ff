import pytest

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.power import days_left, detectable_lift, power_now

RULES = Rules()


def test_power_is_that_of_the_textbook():
    # 3841 a group for 10 % to 12 % at 80 %: Fleiss, Levin & Paik, without continuity correction.
    arm = Arm(3_841, 384)
    assert power_now(arm, arm, Rules(target_lift=0.2)) == pytest.approx(0.80, abs=0.01)


def test_clustering_takes_power_away():
    alone, alike = Arm(4_000, 400), Arm(4_000, 400, users=500, design_effect=4.0)
    assert power_now(alike, alike, RULES) < power_now(alone, alone, RULES)


@pytest.mark.parametrize(
    "arms", [(Arm(0, 0), Arm(10, 1)), (Arm(10, 1), Arm(10, 0)), (Arm(10, 1), Arm(0, 0)), (Arm(9, 9), Arm(9, 9))]
)
def test_power_that_cannot_be_said_is_none(arms):
    assert power_now(*arms, RULES) is None


def test_the_days_left_make_the_sample_that_is_needed():
    treatment, control = Arm(90_000, 1_800), Arm(10_000, 200)
    days = days_left(treatment, control, RULES, treatment_per_day=9_000, control_per_day=1_000)
    later = Arm(90_000 + 9_000 * days, 1_800 + 180 * days), Arm(10_000 + 1_000 * days, 200 + 20 * days)
    assert detectable_lift(*later, RULES) == pytest.approx(RULES.target_lift, rel=0.02)
    assert days_left(*later, RULES, treatment_per_day=9_000, control_per_day=1_000) in (0, 1)


def test_days_are_unknown_before_any_success_and_endless_at_a_standstill():
    assert days_left(Arm(100, 0), Arm(100, 0), RULES, treatment_per_day=10, control_per_day=10) is None
    assert days_left(Arm(1000, 20), Arm(1000, 20), RULES, treatment_per_day=0, control_per_day=0) is None


def test_a_detectable_lift_needs_a_success_in_the_control():
    assert detectable_lift(Arm(100, 5), Arm(100, 0), RULES) is None


def test_looking_every_day_needs_about_twice_the_sample_of_one_look():
    pace = {"treatment_per_day": 900, "control_per_day": 100}
    days = days_left(Arm(900, 45), Arm(100, 5), RULES, **pace)
    planned = Arm(900 * (days + 1), 45 * (days + 1)), Arm(100 * (days + 1), 5 * (days + 1))
    half = tuple(Arm(arm.messages // 2, arm.successes // 2) for arm in planned)
    assert power_now(*half, RULES) == pytest.approx(0.80, abs=0.1)


def test_a_lift_past_every_message_can_neither_be_planned_nor_detected():
    assert days_left(Arm(900, 850), Arm(100, 95), RULES, treatment_per_day=9, control_per_day=1) is None
    assert detectable_lift(Arm(90, 80), Arm(10, 9), RULES) is None
