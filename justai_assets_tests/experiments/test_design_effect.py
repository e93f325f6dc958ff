import numpy as np
import pytest

from justai_assets.experiments.clustered_variance import clusters, weights_of
from justai_assets.experiments.design_effect import Unknown, clustered, design_effect
from justai_assets_tests.experiments.crowd import NAMES, alike, arms, effect_of, people


def test_one_message_a_person_is_no_cluster():
    assert effect_of(*alike("treatment", 3_000, 1, 0.1), *alike("control", 3_000, 1, 0.1)) == pytest.approx(1, abs=0.01)


def test_people_who_always_answer_alike_count_once():
    assert effect_of(*alike("treatment", 3_000, 5, 0.1), *alike("control", 3_000, 5, 0.1)) == pytest.approx(5, rel=0.01)


def test_days_of_one_person_are_summed_before_they_are_squared():
    rows = [one for day in range(4) for arm in ("treatment", "control") for one in alike(arm, 2_000, 1, 0.2, day)]
    assert effect_of(*rows) == pytest.approx(4, rel=0.01)


def test_what_the_arms_share_of_a_person_cancels():
    # Drawn per message: everybody gets two messages of either arm and answers all or none.
    rows = [one for arm in ("treatment", "control") for one in alike(arm, 2_000, 2, 0.2, name="both")]
    assert effect_of(*rows) == pytest.approx(1, abs=0.01)


def test_a_message_without_a_key_is_a_person_of_its_own():
    rows = [*alike("treatment", 500, 4, 0.2), *alike("control", 500, 4, 0.2)]
    unkeyed = [("treatment", 0, None, 2_000, 400), ("control", 0, None, 2_000, 400)]
    assert effect_of(*rows, unkeyed=unkeyed) == pytest.approx((4 + 1) / 2, rel=0.01)
    both = arms(*rows, *unkeyed)
    found = clusters([people(*rows)], weights_of(0, NAMES, *both))[0]
    arm = clustered(both[0], "treatment", found, design_effect(*both, found))
    assert (arm.users, arm.keyed_messages, arm.variance) == (500 + 2_000, 2_000, "partly")


def test_where_the_split_is_over_people_messages_without_a_key_count_as_the_others_do_or_as_assumed():
    rows = [*alike("treatment", 500, 4, 0.2), *alike("control", 500, 4, 0.2)]
    unkeyed = [("treatment", 0, None, 2_000, 400), ("control", 0, None, 2_000, 400)]
    # Half of the messages have a key: whoever shows 4 alike has 7 in all.
    assert effect_of(*rows, unkeyed=unkeyed, unknown=Unknown()) == pytest.approx(7, rel=0.01)
    assert effect_of(*rows, unkeyed=unkeyed, unknown=Unknown(2.0)) == pytest.approx((4 + 2) / 2, rel=0.01)
    days = [(arm, day, None, 1_000, 200) for arm in ("treatment", "control") for day in range(11)]
    assert effect_of(unkeyed=days, unknown=Unknown()) == pytest.approx(1 + 10 * 0.3, rel=0.01)
    assert effect_of(unkeyed=days) == pytest.approx(1, rel=0.01)


def test_few_people_tell_less():
    few, many = ([*alike("treatment", k, 2, 0.5), *alike("control", k, 2, 0.5)] for k in (6, 6_000))
    assert effect_of(*few) > 1.3 * effect_of(*many)


def test_nothing_that_varies_has_no_design_effect():
    assert effect_of(*alike("treatment", 50, 4, 0), *alike("control", 50, 4, 0)) == 1.0
    assert effect_of() == 1.0


def test_a_day_of_one_arm_counts_its_people_and_moves_nothing():
    rows = [*alike("treatment", 100, 1, 0.5), *alike("control", 100, 1, 0.5), *alike("treatment", 100, 9, 0.5, day=1)]
    both = arms(*rows)
    found = clusters([people(*rows)], weights_of(0, NAMES, *both))[0]
    assert sum(found.keyed.values()) == 100 + 100 + 900
    assert found.users["treatment"] == 100
    assert np.isclose(design_effect(*both, found).effect, effect_of(*rows[:200]))
