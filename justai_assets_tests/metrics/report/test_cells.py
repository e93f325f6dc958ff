from hypothesis import given
from hypothesis import strategies as st

from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.rules import Plan
from justai_assets.metrics.report.cells import folded, hides, merged, shown_variants
from justai_assets.metrics.report.data import Fate
from justai_assets_tests.metrics.report.samples import sample_counts


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(2, 30))
def test_merged_periods_cover_every_day_once_and_show_no_small_sum(counts, minimum):
    periods = merged(counts, minimum)
    assert [at for one in periods for at in range(one.first, one.last + 1)] == list(range(len(counts)))
    for one in periods:
        total = sum(counts[one.first : one.last + 1])
        assert one.total == (None if 0 < total < minimum else total)
    if sum(counts) >= minimum or sum(counts) == 0:
        assert sum(one.total for one in periods) == sum(counts)


def test_a_rest_that_is_too_small_joins_the_period_before():
    assert [(one.first, one.last, one.total) for one in merged([25, 0, 0, 3], 20)] == [(0, 3, 28)]


def test_days_of_nothing_are_shown_as_nothing():
    assert [one.total for one in merged([0, 0, 25], 20)] == [0, 0, 25]


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
    shown = {one.copy_id for one in shown_variants(key.variants, 20)}
    hidden = [one.comparison.treatment.successes for one in key.variants if one.copy_id not in shown]
    assert names == ["draft", "friendly", "urgent"]
    assert hides(key.variants[0].comparison, 20)
    assert shown == {"friendly"}
    assert sum(hidden) >= 20
