"""Nobody who subtracts what a report shows finds a small count."""

from datetime import timedelta
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.metrics.experiments.results import Decision, TemplateResult
from justai_assets.metrics.experiments.rules import Plan
from justai_assets.metrics.report.data import FunnelDay, TemplateReport
from justai_assets.metrics.report.funnels import FIELDS, publish
from justai_assets_tests.metrics.report.samples import FIRST, sample_report

MINIMUM = 20


def funnel(sent, opened, clicked=None):
    return tuple(
        FunnelDay(FIRST + timedelta(at), s, x, None, (clicked or opened)[at], 0, 0)
        for at, (s, x) in enumerate(zip(sent, opened, strict=True))
    )


def together(*funnels, shared=()):
    """All of them, less the messages that two of them share."""
    days = zip(*funnels, strict=True)
    return tuple(
        FunnelDay(
            of_day[0].day,
            sum(one.sent for one in of_day) - (shared[at] if shared else 0),
            sum(one.opened for one in of_day) - (shared[at] // 2 if shared else 0),
            None,
            sum(one.clicked for one in of_day),
            0,
            0,
        )
        for at, of_day in enumerate(days)
    )


def silent(name):
    """A template whose arms are not shown."""
    plan = Plan(name, "click", has_control=False)
    return TemplateResult(plan, None, None, 0, (), None, Decision("no_control", "no_control", ""))


def published(funnels, whole):
    reports = tuple(TemplateReport(silent(f"t{at}"), one) for at, one in enumerate(funnels))
    return publish(sample_report(templates=reports, funnel=whole))


def attack(whole, parts):
    """Every small count that can be had from the cells by subtracting them over the same days."""
    found = []
    shown = [one for one in (whole, *parts) if one is not None]
    for field in FIELDS:
        columns = [(at, one.columns[field]) for at, one in enumerate((whole, *parts)) if one and field in one.columns]
        columns = [(at, column) for at, column in columns if all(one.total is not None for one in column)]
        spans = {(one.first, one.last) for _, column in columns for one in column}
        for first, last in spans | {(0, len(shown[0].days) - 1)}:
            totals = {
                at: sum(one.total for one in column if first <= one.first and one.last <= last)
                for at, column in columns
            }
            sent = {
                at: sum(one.total or 0 for one in published.columns["sent"] if first <= one.first and one.last <= last)
                for at, published in enumerate((whole, *parts))
                if published is not None and None not in {one.total for one in published.columns["sent"]}
            }
            counts = [*totals.values(), *(sent[at] - totals[at] for at in totals if at in sent)]
            some = [at for at in totals if at]
            if 0 in totals:
                for size in range(1, len(some) + 1):
                    counts += [totals[0] - sum(totals[at] for at in group) for group in combinations(some, size)]
            found += [(field, first, last, count) for count in counts if 0 < abs(count) < MINIMUM]
    return found


DAYS = 6
COUNTS = st.lists(st.tuples(st.integers(0, 150), st.floats(0, 1)), min_size=DAYS, max_size=DAYS).map(
    lambda rows: funnel([sent for sent, _ in rows], [round(sent * share) for sent, share in rows])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(COUNTS, min_size=1, max_size=3), st.lists(st.integers(0, 12), min_size=DAYS, max_size=DAYS))
def test_no_small_count_comes_back_by_subtraction(funnels, overlap):
    shared = [min([count, *(one[at].opened for one in funnels)]) for at, count in enumerate(overlap)]
    whole = together(*funnels, shared=shared if len(funnels) > 1 else ())
    assert attack(*published(funnels, whole)) == []


def test_a_small_template_beside_a_big_one_cannot_be_had_day_by_day():
    big, small = funnel([100] * 6, [40] * 6, [25] * 6), funnel([5] * 6, [2] * 6, [1] * 6)
    whole, parts = published([big, small], together(big, small))
    assert attack(whole, parts) == []
    assert [one.total for one in parts[0].columns["sent"]] == [100] * 6, "a small one does not coarsen a big one"
    assert [one.total for one in parts[1].columns["sent"]] == [30]
    assert [one.total for one in whole.columns["sent"]] == [630], "over the same days, or a day's five would show"
    assert [one.total for one in parts[1].columns["opened"]] == [None]
    assert whole.columns["clicked"][0].total is not None


def test_a_large_funnel_keeps_its_days():
    one, other = funnel([500] * 6, [200] * 6), funnel([400] * 6, [100] * 6)
    whole, parts = published([one, other], together(one, other))
    for found in (whole, *parts):
        assert len(found.columns["sent"]) == len(found.columns["opened"]) == 6
    assert parts[0].rates("opened")[0] == (FIRST, 0.4)


def test_the_funnel_less_the_shown_arms_is_not_small_either():
    # The comparison of the samples has 9,000 and 1,000 messages a day; the funnel lacks 7 of them.
    report = sample_report().templates[0]
    days = tuple(FunnelDay(FIRST + timedelta(at), 10_000 - (7 if at == 0 else 0), 0, 0, 600, 0, 0) for at in range(20))
    (whole, (found,)) = publish(sample_report(templates=(TemplateReport(report.result, days),), funnel=days))
    for one in (whole, found):
        assert [cell.total for cell in one.columns["sent"]] == [None]
    assert found.rates("clicked") == []


def test_a_report_without_days_has_no_funnel():
    assert publish(sample_report(templates=(), funnel=())) == (None, ())
