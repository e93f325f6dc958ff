from dataclasses import replace

import pytest

from justai_assets.experiments.arms import Arm
from justai_assets.experiments.comparison import compare
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.result_records import Estimate
from justai_assets.reporting import number_words as words


def plain(text):
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.4213, "42.1 %"), (0.0621, "6.21 %"), (0.000712, "0.071 %"), (0.0, "0.000 %"), (1.0, "100.0 %")],
)
def test_rates_have_about_three_digits(value, text):
    assert plain(words.rate(value)) == text


@pytest.mark.parametrize(("value", "text"), [(0.182, "+18.2 %"), (-0.04, "−4.0 %"), (3.5, "+350 %"), (None, "–")])
def test_changes_carry_their_sign(value, text):
    assert plain(words.change(value)) == text


def test_an_interval_for_every_day_without_ends_is_not_yet_known():
    assert words.interval(Estimate(0.1, -0.2, 0.4, None, None), always=True) == "not yet known"
    assert words.interval(Estimate(None, None, None, None, None), always=False) == "anything"


@pytest.mark.parametrize(
    ("treatment", "control", "text"),
    [
        (Arm(900, 90, 300, 1.0), Arm(100, 9, 50, 1.0), "by person"),
        (Arm(900, 90, 700, 1.0, 500), Arm(100, 9, 50, 1.0), "by person for 60 % of the messages"),
        (Arm(900, 90), Arm(100, 9), "by message"),
        (Arm(900, 90, 300, 1.0), Arm(100, 9), "by person for 90 % of the messages"),
    ],
)
def test_a_variance_says_for_how_many_messages_the_person_is_known(treatment, control, text):
    (found,) = compare([(treatment, control)], Rules())
    assert plain(words.variance(found)) == text


def test_an_open_end_is_said_in_words():
    assert words.interval(Estimate(None, -1.0, None, -1.0, None), always=True) == "anything"
    assert plain(words.interval(Estimate(0.5, 0.1, None, 0.05, None), always=True)) == "+5.0 % to any"


def test_a_p_value_is_never_nothing():
    assert [words.p_value(p) for p in (0.0, 0.0421, 0.3, 1.0, None)] == ["under 0.001", "0.042", "0.30", "1.00", "–"]


def test_days_that_cannot_be_said_are_not_none():
    assert [words.days(value) for value in (None, 0, 12)] == ["cannot be said", "none", "12 (4 of 5 tests)"]


@pytest.mark.parametrize(
    ("treated", "metric", "says"),
    [
        (650, "click", "better"),
        (350, "click", "worse"),
        (500, "click", "undecided"),
        (650, "unsubscribe", "worse"),
        (12, "click", "too few"),
    ],
)
def test_a_reading_knows_which_way_is_better(treated, metric, says):
    (found,) = compare([(Arm(9_000, treated), Arm(9_000, 500))], Rules())
    assert words.reading(found, metric, alpha=0.05) == says


def test_one_of_several_is_undecided_until_the_corrected_p_value_agrees():
    (found,) = compare([(Arm(9_000, 650), Arm(9_000, 500))], Rules())
    assert words.reading(replace(found, always_valid_p_adjusted=0.06), "click", alpha=0.05) == "undecided"
    assert words.reading(replace(found, always_valid_p_adjusted=0.04), "click", alpha=0.05) == "better"
