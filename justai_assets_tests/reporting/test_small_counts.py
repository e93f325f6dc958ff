from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan
from justai_assets.reporting.report_data import Fate
from justai_assets.reporting.small_counts import folded, hides, merged_together, shown_variants, shown_windows
from justai_assets_tests.reporting.samples import sample_counts

DAY = date(2026, 1, 1)


def spans(*series):
    return [(one.first, one.last) for one in merged_together(series, 20)]


def test_a_rest_that_is_too_small_joins_the_period_before():
    assert spans([25, 0, 0, 3]) == [(0, 3)]


def test_days_of_nothing_stand_alone():
    assert spans([0, 0, 25]) == [(0, 0), (1, 1), (2, 2)]


def test_a_small_sum_has_no_periods_and_no_days_have_none():
    assert merged_together([[5, 0, 4]], 20) is None
    assert merged_together([[]], 20) == ()


def test_a_period_waits_for_every_series():
    assert spans([30, 30, 30], [8, 8, 8]) == [(0, 2)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["accepted", "duplicate", "quarantined"]), st.integers(0, 100)),
        max_size=6,
        unique_by=lambda one: one[0],
    )
)
def test_folding_keeps_every_record_and_leaves_no_small_fate_beside_others(parts):
    fates = [Fate("esp_events", "door", name, None, records) for name, records in parts]
    total = Fate("esp_events", "door", "received", None, sum(records for _, records in parts))
    shown = [one for one, _ in folded([total, *fates], 20)]
    assert shown[0] == total
    assert sum(one.records for one in shown[1:]) == total.records
    if len(shown) > 2:
        assert not any(0 < one.records < 20 for one in shown[1:])


def test_fates_are_joined_within_one_sum_and_a_remark_with_nothing():
    door = ("attributed_events", "custom_events")
    fates = [
        Fate(*door, "received", None, 60),
        Fate(*door, "accepted", None, 60),
        Fate(*door, "attributed", None, 57),
        Fate(*door, "unattributed", "no_identity", 3),
        Fate(*door, "unread_column", "extra", 5),
    ]
    assert [(label, one.records) for one, label in folded(fates, 20)] == [
        ("Received", 60),
        ("Accepted", 60),
        ("Attributed to a message; Without a message: no_identity", 60),
        ("unread_column: extra", 5),
    ]


@given(
    st.integers(1, 3).flatmap(lambda k: st.lists(st.tuples(*[st.integers(-30, 60)] * k), max_size=30)),
    st.integers(2, 30),
)
def test_series_merged_together_show_no_small_sum_over_any_of_their_periods(rows, minimum):
    series = list(zip(*rows, strict=True))
    periods = merged_together(series, minimum)
    if periods is None:
        assert any(0 < abs(sum(one)) < minimum for one in series)
        return
    assert [at for one in periods for at in range(one.first, one.last + 1)] == list(range(len(rows)))
    for period in periods:
        assert not any(0 < abs(sum(one[period.first : period.last + 1])) < minimum for one in series)


def test_windows_that_differ_by_few_are_not_shown_beside_each_other():
    rows = [
        ("t", arm, "conversion:buy", hours, hours == 24, DAY, None, n, x)
        for hours, xs in ((24, (300, 40)), (48, (310, 41)), (72, (400, 70)))
        for arm, n, x in zip(("treatment", "control"), (9_000, 1_000), xs, strict=True)
    ]
    found = analyse(pl.DataFrame(rows, schema=COUNTS, orient="row"), [Plan("t", "conversion:buy")])[0].metrics
    assert [one.window_hours for one in shown_windows(found, 20)] == [24, 72]


def test_a_small_fate_is_named_together_with_the_one_it_joined():
    fates = [
        Fate("a", "d", "accepted", None, 900),
        Fate("a", "d", "duplicate", None, 40),
        Fate("a", "d", "quarantined", "x", 3),
    ]
    assert [(label, one.records) for one, label in folded(fates, 20)] == [
        ("Accepted", 900),
        ("Duplicate; Quarantined: x", 43),
    ]


def test_doors_are_not_folded_into_each_other():
    fates = [Fate("a", "one", "duplicate", None, 3), Fate("a", "two", "duplicate", None, 40)]
    assert [one.records for one, _ in folded(fates, 20)] == [3, 40]


def test_what_is_left_out_of_the_copies_is_itself_not_small():
    key = analyse(sample_counts(), [Plan("winback", "click")])[0].key
    names = [one.copy_id for one in key.variants]
    shown = {one.copy_id for one in shown_variants(key.variants, key.comparison.treatment, 20)}
    hidden = [one.comparison.treatment.successes for one in key.variants if one.copy_id not in shown]
    assert names == ["draft", "friendly", "urgent"]
    assert hides(key.variants[0].comparison, 20)
    assert shown == {"friendly"}
    assert sum(hidden) >= 20


def test_a_few_messages_without_a_copy_cannot_be_computed_from_the_copies():
    rows = [("t", "treatment", "click", 72, True, DAY, copy, n, x) for copy, n, x in (("a", 900, 90), ("b", 800, 80))]
    rows += [
        ("t", "treatment", "click", 72, True, DAY, None, 5, 1),
        ("t", "control", "click", 72, True, DAY, None, 900, 90),
    ]
    key = analyse(pl.DataFrame(rows, schema=COUNTS, orient="row"), [Plan("t", "click", control_share=None)])[0].key
    assert [one.copy_id for one in shown_variants(key.variants, key.comparison.treatment, 20)] == ["a"]
