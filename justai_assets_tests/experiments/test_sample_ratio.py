import pytest

from justai_assets.experiments.experiment_errors import ExperimentError
from justai_assets.experiments.sample_ratio import check_ratio


def test_the_configured_split_is_not_broken():
    found = check_ratio(90_100, 9_900, control_share=0.1)
    assert not found.is_broken
    assert found.control_share == pytest.approx(0.099)
    assert found.p_value > 0.05


def test_a_control_that_stopped_receiving_is_broken():
    assert check_ratio(20_000, 1_000, control_share=0.1).is_broken


def test_a_missing_control_is_broken_once_enough_was_sent():
    assert not check_ratio(20, 0, control_share=0.1).is_broken
    assert check_ratio(5_000, 0, control_share=0.1).is_broken


def test_without_units_there_is_nothing_to_say():
    found = check_ratio(0, 0, control_share=0.1)
    assert (found.control_share, found.p_value, found.always_valid_p, found.is_broken) == (None, 1.0, 1.0, False)


def test_a_p_value_for_every_day_is_never_smaller_than_one_look_would_deserve():
    found = check_ratio(9_000, 1_150, control_share=0.1)
    assert found.always_valid_p > found.p_value


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_splits_nothing_is_an_error(share):
    with pytest.raises(ExperimentError, match="no split"):
        check_ratio(1, 1, control_share=share)


def test_a_negative_count_is_an_error():
    with pytest.raises(ExperimentError, match="negative"):
        check_ratio(-1, 1, control_share=0.1)


def test_tens_of_millions_of_messages_are_no_trouble():
    assert not check_ratio(90_000_000, 10_000_000, control_share=0.1).is_broken
