from datetime import date

import polars as pl
import pytest

from justai_assets.experiments.all_templates import overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.results_table import results_frame
from justai_assets_tests.experiments.counted import CLICK, two_weeks

DAY, RULES = date(2026, 1, 1), Rules()
PLANS = [Plan(name, "click", control_share=None) for name in ("a", "b")]


def world(keyed=True):
    """Two templates sent to the same people, a tenth of whom is held out of both; every third answers everything."""
    sent, clicked, counts = [], [], []
    for template, each in (("a", 2), ("b", 3)):
        for arm, people in (("treatment", range(900)), ("control", range(900, 1_200))):
            answer = [user for user in people if user % 3 == 0]
            for user in people if keyed else ():
                sent.append((template, arm, None, DAY, f"u{user}", None, None, each, 0))
            for user in answer if keyed else ():
                clicked.append((template, arm, None, DAY, f"u{user}", "click", 72, 0, each))
            counts.append((template, arm, "click", 72, True, DAY, None, each * len(people), each * len(answer)))
    return (
        pl.LazyFrame(sent + clicked, schema=PEOPLE, orient="row"),
        pl.DataFrame(counts, schema=COUNTS, orient="row"),
    )


def judged(keyed=True):
    people, counts = world(keyed)
    return lambda: [people], analyse(counts, PLANS, people=lambda: [people], rules=RULES)


def test_people_who_receive_several_templates_make_the_interval_wider_and_it_says_so():
    people, results = judged()
    (alone,), (together,) = overall(results, RULES), overall(results, RULES, people=people)
    assert (alone.variance, together.variance) == ("message", "user")
    assert together.lift.value == alone.lift.value == pytest.approx(0, abs=1e-9)
    assert together.lift.high - together.lift.low > 1.3 * (alone.lift.high - alone.lift.low)
    assert "several templates counts as several people" in alone.note
    assert together.note == ""


def test_without_keys_the_row_states_its_limit():
    people, results = judged(keyed=False)
    (found,) = overall(results, RULES, people=people)
    assert found.variance == "message"
    assert found.note


def test_one_template_alone_is_no_several():
    _, results = judged(keyed=False)
    assert overall(results[:1], RULES)[0].note == ""


def test_a_reading_waits_for_the_corrected_p_value():
    _, results = judged()
    (found,) = overall(results, RULES)
    assert (found.reading, found.sentence) == (
        "undecided",
        "Clicked: no difference is sure yet, over 2 templates together.",
    )
    (few,) = overall(results, Rules(minimum_messages=10_000))
    assert few.reading == "too few"
    assert few.sentence == "Clicked: no template has enough messages with both copies yet."


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


def test_the_table_holds_all_templates_together_too():
    results = analyse(two_weeks(0.065, 0.05), [CLICK])
    row = results_frame(results, overall(results, Rules())).filter(pl.col("template").is_null()).row(0, named=True)
    assert (row["metric"], row["verdict"], row["reason"]) == ("click", "better", "overall")
    assert row["lift"] == pytest.approx(0.3)
    assert row["decision"] == "Clicked: the new copies do better than the controls, over 1 template together."
