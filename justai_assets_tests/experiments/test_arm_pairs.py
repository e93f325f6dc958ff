import polars as pl
import pytest

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.decision_rules import Plan
from justai_assets_tests.experiments.counted import CLICK, counts, known, people


def two_days(known_treatment=9_000):
    """90,000 and 10,000 messages on each of two days, ten a person, and the people who are known by a key."""
    arms = (("treatment", 90_000, 5_850), ("control", 10_000, 500))
    crowd = (("treatment", 10, 0.065, known_treatment), ("control", 10, 0.05, 1_000))
    frame = counts(*((arm, "click", day, None, n, x) for day in (0, 1) for arm, n, x in arms))
    return frame, known(*(people(*arm, day=day) for day in (0, 1) for arm in crowd))


def test_with_user_keys_the_variance_is_by_user_and_the_result_says_so():
    frame, sums = two_days()
    naive, clustered = (analyse(frame, [CLICK], people=given)[0].key.comparison for given in (None, sums))
    assert (naive.variance, clustered.variance) == ("message", "user")
    assert clustered.treatment.design_effect == pytest.approx(10, rel=0.01)
    assert clustered.lift.value == pytest.approx(naive.lift.value)
    assert naive.lift.always_low > 0 > clustered.lift.always_low
    by_user = Plan("welcome", "click", split_unit="user")
    ratio = analyse(frame, [by_user], people=sums)[0].sample_ratio
    assert (ratio.unit, ratio.treatment, ratio.control) == ("user", 9_000, 1_000)
    assert analyse(frame, [by_user])[0].sample_ratio is None


def test_where_only_some_messages_have_a_key_the_variance_is_partly_by_person_and_people_are_not_counted():
    frame, sums = two_days(known_treatment=8_000)
    result = analyse(frame, [Plan("welcome", "click", split_unit="user")], people=sums)[0]
    assert result.key.comparison.variance == "partly"
    assert result.key.comparison.treatment.users == 2 * (8_000 + 10_000)
    assert result.sample_ratio is None


def test_days_that_are_left_out_tell_nothing_about_the_variance():
    # Before the control ran, everybody got one message; since then people answer ten alike.
    early = counts(("treatment", "click", -9, None, 40_000, 4_000))
    frame = counts(("treatment", "click", 0, None, 9_000, 900), ("control", "click", 0, None, 1_000, 100))
    before = people("treatment", 1, 0.1, 40_000, day=-9)
    given = known(before, people("treatment", 10, 0.1, 900), people("control", 10, 0.1, 100))
    result = analyse(pl.concat([early, frame]), [CLICK], people=given)[0]
    assert result.messages_left_out == 40_000
    assert result.key.comparison.treatment.users == 900
    assert result.key.comparison.treatment.design_effect == pytest.approx(10, rel=0.05)


def test_an_arm_without_messages_leaves_the_variance_as_that_of_the_other():
    frame = counts(("treatment", "click", 0, None, 9_000, 900))
    (result,) = analyse(
        frame, [Plan("welcome", "click", has_control=False)], people=known(people("treatment", 10, 0.1, 900))
    )
    assert result.key.comparison.variance == "user"
