import pytest

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.guardrail import rise_p

RULES = Rules()


@pytest.mark.parametrize(
    ("treatment", "control", "warns"),
    [
        (Arm(9_000, 200), Arm(1_000, 1), True),
        (Arm(9_000, 200), Arm(1_000, 0), True),
        (Arm(9_000, 20), Arm(1_000, 1), False),
        (Arm(9_000, 9), Arm(1_000, 60), False),
        (Arm(9_000, 0), Arm(1_000, 0), False),
        (Arm(9_000, 200, 900, 10.0), Arm(1_000, 1, 100, 10.0), False),
    ],
)
def test_a_rise_that_chance_does_not_explain_warns_however_few_there_are(treatment, control, warns):
    assert (rise_p(treatment, control, RULES) < RULES.alpha) == warns


def test_before_the_minimum_of_messages_nothing_is_said():
    assert rise_p(Arm(9_000, 900), Arm(199, 0), RULES) == 1.0
    assert rise_p(Arm(9_000, 900), Arm(200, 0), RULES) < 0.05
