from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.cluster import PEOPLE
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.errors import ExperimentError
from justai_assets.metrics.experiments.frame import RESULTS, results_frame
from justai_assets.metrics.experiments.overall import overall
from justai_assets.metrics.experiments.rules import Plan, Rules

FIRST = date(2026, 1, 1)
CLICK = Plan("welcome", "click")


def counts(*rows):
    """Rows of (arm, metric, day, copy, messages, successes)."""
    whole = [
        ("welcome", arm, metric, 72, True, FIRST + timedelta(day), copy, n, x) for arm, metric, day, copy, n, x in rows
    ]
    return pl.DataFrame(whole, schema=COUNTS, orient="row")


def two_weeks(treatment, control, metric="click", n1=9_000, n0=1_000, days=14, copy=None):
    treated, kept = round(n1 * treatment), round(n0 * control)
    rows = (("treatment", metric, copy, n1, treated), ("control", metric, None, n0, kept))
    return counts(*((arm, name, day, label, n, x) for day in range(days) for arm, name, label, n, x in rows))


def decision(frame, plan=CLICK, rules=Rules(), **options):  # noqa: B008 - frozen
    return analyse(frame, [plan], rules=rules, **options)[0].decision


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
    rows = [(arm, "click", 0, None, n, x) for arm, n, x in (("treatment", 2_000, 40), ("control", 12, 2))]
    found = decision(counts(*rows))
    assert found.verdict == "broken_split"
    assert "the control got far fewer of the messages where 10.0 % was" in found.sentence.replace("\u00a0", " ")


def test_a_split_by_person_is_told_in_people():
    frame = counts(("treatment", "click", 0, None, 90_000, 5_850), ("control", "click", 0, None, 20_000, 1_000))
    given = known(people("treatment", 10, 0.065, 9_000), people("control", 10, 0.05, 2_000))
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


def test_without_a_control_nothing_is_compared_but_everything_is_counted():
    result = analyse(counts(("treatment", "click", 0, "a", 500, 40)), [Plan("welcome", "click", has_control=False)])[0]
    assert result.decision.verdict == "no_control"
    assert result.key.comparison.treatment.rate == 0.08
    assert result.key.comparison.lift.value is None
    assert result.key.comparison.note


def test_days_before_the_control_started_are_left_out_and_counted():
    early = counts(*(("treatment", "click", day, None, 9_000, 4_000) for day in range(-7, 0)))
    result = analyse(pl.concat([early, two_weeks(0.05, 0.05)]), [CLICK])[0]
    assert (result.first_day, result.messages_left_out) == (FIRST, 63_000)
    assert result.key.comparison.treatment.rate == pytest.approx(0.05)


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


def test_a_launch_in_the_afternoon_is_no_broken_split():
    # Until three the control alone was sent; from then on a tenth of the messages are its.
    launch = counts(("treatment", "click", -1, None, 3_400, 170), ("control", "click", -1, None, 6_600, 330))
    (found,) = analyse(pl.concat([launch, two_weeks(0.05, 0.05)]), [CLICK])
    assert not found.sample_ratio.is_broken
    assert (found.first_day, found.messages_left_out) == (FIRST, 10_000)


def test_a_trial_message_before_the_launch_begins_no_test():
    trial = counts(
        ("treatment", "click", -7, None, 1, 1), *(("control", "click", day, None, 10_000, 500) for day in range(-7, 0))
    )
    (found,) = analyse(pl.concat([trial, two_weeks(0.05, 0.05)]), [CLICK])
    assert not found.sample_ratio.is_broken
    assert found.first_day == FIRST


def test_a_share_that_is_raised_on_the_way_is_two_periods_and_no_difference():
    # The rate falls from 10 to 5 % while the control's share rises from 10 to 50 %; the arms are alike every day.
    raised = two_weeks(0.05, 0.05, n1=5_000, n0=5_000).with_columns(pl.col("cohort_date") + timedelta(14))
    frame = pl.concat([two_weeks(0.10, 0.10), raised])
    (found,) = analyse(frame, [Plan("welcome", "click", control_share=0.5)])
    assert [round(one.control_share, 2) for one in found.allocation.periods] == [0.1, 0.5]
    assert not found.sample_ratio.is_broken
    assert found.key.comparison.lift.value == pytest.approx(0, abs=1e-9)
    broken = decision(frame)
    assert broken.sentence.startswith("Do not read this test yet: since 15 January 2026 the control got 50.0\u00a0%")


def test_days_whose_windows_are_open_are_not_judged_and_counted_apart():
    # Everybody converts within 72 h, the treatment sooner: of the last three days only its conversions are in.
    soon = counts(
        *((arm, "click", day, None, n, x) for day in range(7, 10) for arm, n, x in (
            ("treatment", 9_000, 4_500), ("control", 1_000, 100)
        ))
    )  # fmt: skip
    frame = pl.concat([two_weeks(0.5, 0.5, days=7), soon])
    now = datetime(2026, 1, 11, tzinfo=UTC)
    assert decision(frame).verdict == "ship"
    (found,) = analyse(frame, [CLICK], now=now)
    assert (found.last_day, found.messages_filling) == (FIRST + timedelta(6), 30_000)
    assert found.decision.verdict != "ship"
    assert found.key.comparison.lift.value == 0
    (first,) = analyse(frame, [CLICK], now=datetime(2026, 1, 4, 23, tzinfo=UTC))
    assert first.decision.reason == "still_filling"


def test_a_split_over_people_that_nobody_knows_states_what_it_assumes():
    frame = two_weeks(0.065, 0.05)
    assert decision(frame, Plan("welcome", "click", split_unit="message")).verdict == "ship"
    assumed = decision(frame, Plan("welcome", "click", split_unit="user"))
    assert assumed.verdict == "keep_running"
    assert "so 4.9 messages count as one (assumed; set assumed_design_effect if you know better)" in assumed.sentence
    given = decision(frame, Plan("welcome", "click", split_unit="user", assumed_design_effect=1.0))
    assert given.verdict == "ship"
    assert "so 1.0 messages count as one (as the org file says)" in given.sentence


def test_the_daily_series_ends_at_the_whole():
    result = analyse(two_weeks(0.065, 0.05), [CLICK])[0].key
    assert len(result.daily) == 14
    assert result.daily[-1].comparison == result.comparison
    assert result.daily[0].comparison.treatment.messages == 9_000


def test_a_day_on_which_only_one_arm_sent_carries_the_other_forward():
    gap = counts(
        ("treatment", "click", 0, None, 900, 90),
        ("control", "click", 0, None, 100, 9),
        ("treatment", "click", 1, None, 20, 2),
    )
    assert [one.comparison.control.messages for one in analyse(gap, [CLICK])[0].key.daily] == [100, 100]


def test_the_key_metric_stands_alone_and_the_others_are_corrected_together():
    frame = pl.concat(
        [two_weeks(0.052, 0.05, metric=name) for name in ("click", "open", "unsubscribe", "conversion:buy")]
    )
    found = {one.metric: one for one in analyse(frame, [CLICK])[0].metrics}
    assert found["click"].comparison.p_adjusted is None
    others = [found[name].comparison for name in ("open", "unsubscribe", "conversion:buy")]
    assert all(one.p_adjusted == pytest.approx(min(1, 3 * one.p_value)) for one in others)


def test_the_metric_that_decides_comes_first_and_other_windows_last():
    frame = pl.concat([two_weeks(0.052, 0.05, metric=name) for name in ("open", "conversion:buy", "click")])
    wide = frame.filter(pl.col("metric") == "conversion:buy").with_columns(
        window_hours=pl.lit(48, pl.Int32), is_own_window=pl.lit(False)
    )
    result = analyse(pl.concat([frame, wide]), [Plan("welcome", "conversion:buy")])[0]
    assert [(one.metric, one.is_own_window) for one in result.metrics] == [
        ("conversion:buy", True), ("open", True), ("click", True), ("conversion:buy", False),
    ]  # fmt: skip
    assert result.metrics[-1].comparison.p_adjusted is None


def test_variants_are_compared_with_the_control_and_corrected_for_being_several():
    frame = counts(
        ("treatment", "click", 0, "a", 4_000, 260), ("treatment", "click", 0, "b", 4_000, 200),
        ("treatment", "click", 0, "tiny", 12, 3), ("treatment", "click", 0, None, 1_000, 50),
        ("control", "click", 0, None, 1_000, 50),
    )  # fmt: skip
    result = analyse(frame, [CLICK])[0].key
    assert [one.copy_id for one in result.variants] == ["a", "b", "tiny"]
    a, b, tiny = (one.comparison for one in result.variants)
    assert a.p_adjusted == pytest.approx(min(1, 2 * a.p_value))
    assert b.p_adjusted is not None
    assert tiny.p_adjusted is None
    assert result.comparison.treatment.messages == 9_012


def people(arm, each, rate, k, day=0):
    """Rows of PEOPLE: k people of `each` messages, who answer all of them or none."""
    answered, at = round(k * rate), FIRST + timedelta(day)
    sent = [("welcome", arm, None, at, f"{arm}{day} {i}", None, None, each, 0) for i in range(k)]
    clicked = [("welcome", arm, None, at, f"{arm}{day} {i}", "click", 72, 0, each) for i in range(answered)]
    return sent + clicked


def known(*rows):
    return lambda: [pl.LazyFrame([one for some in rows for one in some], schema=PEOPLE, orient="row")]


def test_with_user_keys_the_variance_is_by_user_and_the_result_says_so():
    frame = counts(("treatment", "click", 0, None, 90_000, 5_850), ("control", "click", 0, None, 10_000, 500))
    sums = known(people("treatment", 10, 0.065, 9_000), people("control", 10, 0.05, 1_000))
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
    frame = counts(("treatment", "click", 0, None, 90_000, 5_850), ("control", "click", 0, None, 10_000, 500))
    sums = known(people("treatment", 10, 0.065, 8_000), people("control", 10, 0.05, 1_000))
    result = analyse(frame, [Plan("welcome", "click", split_unit="user")], people=sums)[0]
    assert result.key.comparison.variance == "partly"
    assert result.key.comparison.treatment.users == 8_000 + 10_000
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


def test_a_start_of_the_org_file_leaves_earlier_days_out():
    result = analyse(two_weeks(0.05, 0.05), [Plan("welcome", "click", start=FIRST + timedelta(4))])[0]
    assert (result.first_day, result.messages_left_out) == (FIRST + timedelta(4), 40_000)
    early = analyse(two_weeks(0.05, 0.05), [Plan("welcome", "click", start=FIRST - timedelta(4))])[0]
    assert (early.first_day, early.messages_left_out) == (FIRST, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"successes": pl.lit(-1)}, "successes"),
        ({"successes": pl.col("messages") + 1}, "successes in"),
        ({"arm": pl.lit("placebo")}, "unknown arm 'placebo'"),
        ({"metric": pl.lit(None, pl.String)}, "nulls in metric"),
    ],
)
def test_counts_that_cannot_be_are_refused(change, message):
    with pytest.raises(ExperimentError, match=message):
        analyse(two_weeks(0.05, 0.05).with_columns(**change), [CLICK])


def test_a_missing_column_is_named():
    with pytest.raises(ExperimentError, match="lack copy_id"):
        analyse(two_weeks(0.05, 0.05).drop("copy_id"), [CLICK])


def test_the_same_counts_in_pieces_and_another_order_give_the_same_result():
    whole = two_weeks(0.06, 0.05)
    halves = pl.concat([whole.with_columns(pl.col("messages", "successes") // 2)] * 2).sample(
        fraction=1, shuffle=True, seed=1
    )
    whole = whole.with_columns(pl.col("messages", "successes") // 2 * 2)
    assert analyse(halves, [CLICK]) == analyse(whole, [CLICK])


def test_the_table_of_results_has_no_not_a_number():
    frames = [
        two_weeks(0.065, 0.05, copy="a"),
        two_weeks(0.0, 0.0, metric="unsubscribe"),
        two_weeks(1.0, 1.0, metric="open"),
    ]
    solo = Plan("solo", "click", has_control=False)
    found = results_frame(analyse(pl.concat(frames), [CLICK, solo]))
    assert found.schema == RESULTS
    floats = found.select(pl.col(pl.Float64).fill_null(0.0))
    assert floats.select(pl.all_horizontal(pl.all().is_finite())).to_series().all()
    assert_frame_equal(
        found.select("metric", "copy_id").head(2), pl.DataFrame({"metric": ["click", "click"], "copy_id": [None, "a"]})
    )


def test_overall_pools_templates_without_pouring_them_together():
    # Both templates have the same lift, but opposite splits and far rates: poured together the sign would turn.
    a = two_weeks(0.22, 0.20, n1=1_000, n0=9_000)
    b = two_weeks(0.022, 0.020, n1=9_000, n0=1_000).with_columns(template=pl.lit("other"))
    plans = [Plan("welcome", "click", control_share=0.9), Plan("other", "click")]
    (found,) = overall(analyse(pl.concat([a, b]), plans), Rules())
    assert found.templates == 2
    assert found.lift.value == pytest.approx(0.10, abs=0.005)
    assert found.lift.always_low < found.lift.low < 0.10 < found.lift.high < found.lift.always_high


def test_overall_leaves_broken_splits_and_small_samples_out():
    broken = analyse(two_weeks(0.065, 0.05, n0=2_000), [CLICK])
    small = analyse(two_weeks(0.5, 0.5, n1=9, n0=1), [CLICK])
    for results in (broken, small):
        (found,) = overall(results, Rules())
        assert (found.templates, found.lift.value, found.p_value) == (0, None, None)


def test_before_there_is_enough_data_the_interval_of_every_day_has_no_ends():
    (result,) = analyse(
        counts(("treatment", "click", 0, None, 1_000, 60), ("control", "click", 0, None, 110, 30)), [CLICK]
    )
    lift, difference = result.key.comparison.lift, result.key.comparison.difference
    assert (lift.always_low, lift.always_high, difference.always_low, difference.always_high) == (None,) * 4
    assert lift.low is not None
    row = results_frame([result]).row(0, named=True)
    assert (row["lift_always_low"], row["lift_always_high"]) == (None, None)


def test_the_table_holds_all_templates_together_too():
    results = analyse(two_weeks(0.065, 0.05), [CLICK])
    row = results_frame(results, overall(results, Rules())).filter(pl.col("template").is_null()).row(0, named=True)
    assert (row["metric"], row["verdict"], row["reason"]) == ("click", "better", "overall")
    assert row["lift"] == pytest.approx(0.3)
    assert row["decision"] == "Clicked: the new copies do better than the controls, over 1 template together."
