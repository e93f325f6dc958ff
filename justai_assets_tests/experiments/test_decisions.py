from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.decision_rules import Plan
from justai_assets_tests.experiments.counted import CLICK, FIRST, counts, decision, known, people, two_weeks


def test_a_clear_gain_ships():
    found = decision(two_weeks(0.065, 0.05))
    assert found.verdict == "ship"
    assert found.sentence.replace("\u00a0", " ") == (
        "Ship the new copy: it brings 30.0 % more clicks (between +16 % and +46 %) compared with the control. "
        "A lift reads high on the day it first shows: plan with the lower end."
    )


def test_a_clear_loss_keeps_the_control():
    assert decision(two_weeks(0.04, 0.05)).reason == "key_metric_worse"


def test_no_difference_after_a_long_time_gives_up_the_hoped_for_lift():
    assert decision(two_weeks(0.4, 0.4, days=40)).reason == "target_out_of_reach"


def test_an_undecided_test_says_how_long_it_still_takes():
    found = decision(two_weeks(0.0105, 0.01))
    assert found.verdict == "keep_running"
    assert "more days four of five tests would show a lift of +10 %, if it is there" in found.sentence.replace(
        "\u00a0", " "
    )


def test_a_gain_of_the_first_days_waits_for_a_week():
    assert decision(two_weeks(0.2, 0.1, days=3)).reason == "first_days"


def test_a_gain_that_costs_subscribers_is_a_persons_call():
    both = pl.concat([two_weeks(0.065, 0.05), two_weeks(0.02, 0.01, metric="unsubscribe")])
    assert decision(both).verdict == "trade_off"
    assert decision(both, Plan("welcome", "unsubscribe")).verdict == "keep_control"


def test_a_guardrail_does_not_wait_for_unsubscribes_in_the_control():
    # 200 of 9,000 against 1 of 1,000: too few for an interval, plain enough for a warning.
    rows = [("treatment", "unsubscribe", 0, None, 9_000, 200), ("control", "unsubscribe", 0, None, 1_000, 1)]
    both = pl.concat([two_weeks(0.15, 0.09, n1=900, n0=100, days=10), counts(*rows)])
    found = decision(both)
    assert (found.verdict, found.reason) == ("trade_off", "guardrail")
    assert "clearly more unsubscribes" in found.sentence, "a number would give the one away"


def test_a_broken_split_stops_every_other_reading():
    found = decision(two_weeks(0.065, 0.05, n0=1_200))
    assert found.verdict == "broken_split"
    assert "11.8 % of the messages where 10.0 % was configured" in found.sentence.replace("\u00a0", " ")


def test_a_broken_split_of_a_handful_names_no_share_from_which_it_could_be_counted():
    arms = (("treatment", 2_000, 40), ("control", 12, 2))
    found = decision(counts(*((arm, "click", day, None, n, x) for day in (0, 1) for arm, n, x in arms)))
    assert found.verdict == "broken_split"
    assert "the control got far fewer of the messages where 10.0 % was" in found.sentence.replace("\u00a0", " ")


def test_the_first_day_and_a_trial_message_say_nothing_about_the_split():
    morning = counts(("treatment", "click", 0, None, 300, 15), ("control", "click", 0, None, 300, 15))
    trial = counts(("treatment", "click", 0, None, 1, 0), ("control", "click", 0, None, 5_000, 250))
    after = counts(*(("control", "click", day, None, 5_000, 250) for day in range(1, 7)))
    for frame in (morning, trial, pl.concat([trial, after])):
        assert decision(frame).verdict == "too_few"


def test_a_split_by_person_is_told_in_people():
    arms = (("treatment", 90_000, 5_850), ("control", 20_000, 1_000))
    frame = counts(*((arm, "click", day, None, n, x) for day in (0, 1) for arm, n, x in arms))
    crowd = (("treatment", 10, 0.065, 9_000), ("control", 10, 0.05, 2_000))
    given = known(*(people(*arm, day=day) for day in (0, 1) for arm in crowd))
    found = decision(frame, Plan("welcome", "click", split_unit="user"), people=given)
    assert "18.2\u00a0% of the people" in found.sentence


def test_an_unknown_share_is_not_checked():
    result = analyse(two_weeks(0.065, 0.05, n0=1_200), [Plan("welcome", "click", control_share=None)])[0]
    assert (result.sample_ratio, result.decision.verdict) == (None, "ship")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (counts(), "no_data"),
        (counts(("treatment", "click", 0, None, 500, 40)), "arm_empty"),
        (counts(("control", "click", 0, None, 500, 40)), "arm_empty"),
        (two_weeks(0.5, 0.5, n1=9, n0=1), "minimum_messages"),
        (two_weeks(0.05, 0.0), "minimum_successes"),
        (two_weeks(0.0, 0.0), "minimum_successes"),
        (two_weeks(1.0, 0.9), "minimum_failures"),
        (counts(("treatment", "open", 0, None, 500, 40), ("control", "open", 0, None, 50, 4)), "no_data"),
    ],
)
def test_too_few_says_of_what(frame, reason):
    found = decision(frame)
    assert (found.verdict, found.reason) == ("too_few", reason)


def test_after_the_control_has_stopped_the_last_decision_stands():
    later = counts(
        ("treatment", "click", 14, None, 9_600, 480), ("control", "click", 14, None, 400, 20),
        *(("treatment", "click", day, None, 10_000, 500) for day in range(15, 30)),
    )  # fmt: skip
    found = analyse(pl.concat([two_weeks(0.065, 0.05), later]), [CLICK])[0]
    assert found.decision.verdict == "ship"
    assert found.decision.sentence.endswith(
        "This is the decision on the sends until 14 January 2026, when the control stopped."
    )
    assert (found.last_day, found.allocation.changes) == (FIRST + timedelta(13), (FIRST + timedelta(14),))


def test_a_test_that_ends_undecided_is_not_kept_running():
    later = counts(*(("treatment", "click", day, None, 10_000, 100) for day in range(14, 30)))
    found = decision(pl.concat([two_weeks(0.0105, 0.01), later]))
    assert found.sentence.startswith("Undecided at the end of the test: ")


def test_the_end_that_the_org_file_names_ends_the_test():
    plan = Plan("welcome", "click", end=FIRST + timedelta(9))
    late = two_weeks(0.02, 0.05).with_columns(pl.col("cohort_date") + timedelta(10))
    frame = pl.concat([two_weeks(0.065, 0.05, days=10), late])
    (found,) = analyse(frame, [plan], now=datetime(2026, 2, 1, tzinfo=UTC))
    assert (found.decision.verdict, found.last_day) == ("ship", plan.end)
    assert found.decision.sentence.endswith("until 10 January 2026, when the test ended.")


def test_a_split_over_people_that_nobody_knows_states_what_it_assumes():
    frame = two_weeks(0.065, 0.05)
    assert decision(frame, Plan("welcome", "click", split_unit="message")).verdict == "ship"
    assumed = decision(frame, Plan("welcome", "click", split_unit="user"))
    assert assumed.verdict == "keep_running"
    assert "so 4.9 messages count as one (assumed; set assumed_design_effect if you know better)" in assumed.sentence
    given = decision(frame, Plan("welcome", "click", split_unit="user", assumed_design_effect=1.0))
    assert given.verdict == "ship"
    assert "so 1.0 messages count as one (as the org file says)" in given.sentence
