from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.decision_rules import Plan
from justai_assets.experiments.experiment_errors import ExperimentError
from justai_assets.experiments.results_table import RESULTS, results_frame
from justai_assets_tests.experiments.counted import CLICK, FIRST, counts, decision, two_weeks


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
    assert broken.sentence.startswith("Do not read this test yet: since 16 January 2026 the control got 50.0\u00a0%")


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
        ("treatment", "click", 2, None, 900, 90),
        ("control", "click", 2, None, 100, 9),
    )
    assert [one.comparison.control.messages for one in analyse(gap, [CLICK])[0].key.daily] == [100, 100, 200]


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


def test_before_there_is_enough_data_the_interval_of_every_day_has_no_ends():
    (result,) = analyse(
        counts(("treatment", "click", 0, None, 1_000, 60), ("control", "click", 0, None, 110, 30)), [CLICK]
    )
    lift, difference = result.key.comparison.lift, result.key.comparison.difference
    assert (lift.always_low, lift.always_high, difference.always_low, difference.always_high) == (None,) * 4
    assert lift.low is not None
    row = results_frame([result]).row(0, named=True)
    assert (row["lift_always_low"], row["lift_always_high"]) == (None, None)


def test_the_days_left_do_not_move_while_a_day_is_running():
    # Sends of today come in all day long; they are not judged, and neither is the pace of a day that is not over.
    today, noon = FIRST + timedelta(14), datetime(2026, 1, 15, 12, tzinfo=UTC)
    so_far = two_weeks(0.0105, 0.01)
    left = [
        analyse(
            pl.concat([so_far, two_weeks(0.01, 0.01, n1=n, n0=n // 9, days=1).with_columns(cohort_date=today)]),
            [CLICK],
            now=noon + timedelta(minutes=minutes),
        )[0].key.days_left
        for minutes, n in ((0, 900), (24, 5_400))
    ]
    assert left[0] == left[1] > 0
