"""Nobody who has all that a report's funnels show can bound a small count: an audit written from the cells alone."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from justai_assets.experiments.allocation import Allocation
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan
from justai_assets.experiments.result_records import Decision, TemplateResult
from justai_assets.reporting.report_data import ArmFunnel, FunnelDay
from justai_assets.reporting.report_funnels import publish
from justai_assets.reporting.small_counts import hides
from justai_assets_tests.reporting.samples import FIRST, sample_arms, sample_report

MINIMUM = 20
CATEGORIES = ("opened", "machine_opened", "neither")


def arm(roles, sent, opened, clicked=None, machine=None):
    """An arm; `roles` as in "a treatment, b control"."""
    days = tuple(
        FunnelDay(FIRST + timedelta(at), s, x, machine and machine[at], (clicked or opened)[at], 0, 0)
        for at, (s, x) in enumerate(zip(sent, opened, strict=True))
    )
    return ArmFunnel(tuple(tuple(one.split()) for one in roles.split(", ")), days)


def silent(name):
    """A template whose arms are not shown."""
    return TemplateResult(
        Plan(name, "click", has_control=False),
        Allocation((), (), None),
        None,
        None,
        0,
        0,
        (),
        None,
        Decision("no_control", "", ""),
    )


def published(arms, results=None, minimum=MINIMUM):
    names = sorted({name for one in arms for name, _ in one.roles})
    results = results or tuple(silent(name) for name in names)
    whole, parts = publish(sample_report(templates=results, arms=tuple(arms), minimum_cell=minimum))
    return whole, dict(zip([one.plan.template for one in results], parts, strict=True))


def small_bounds(arms, whole, parts, fields, minimum=MINIMUM, stated=()):
    """Atoms (arm, day, category) that the cells bound between 0 and the minimum, by linear programming.

    The unknowns are the messages of every arm, day and category; the last category is what none of `fields` counts.
    `stated` are (arm, category or None, days, total over these). What every solution has below the minimum, and some
    solution above 0, is bounded to a few.
    """
    days, kinds = len(arms[0].days), len(fields) + 1
    cells, totals = [], []

    def add(inside, of_days, kind, total):
        cell = np.zeros((len(arms), days, kinds))
        for day in of_days:
            cell[inside, day, slice(None) if kind is None else kind] = 1
        cells.append(cell.ravel())
        totals.append(total)

    shown = {name: one for name, one in {None: whole, **parts}.items() if one is not None}
    for name, one in shown.items():
        inside = [at for at, of in enumerate(arms) if name is None or name in dict(of.roles)]
        for kind, field in ((None, "sent"), *enumerate(fields)):
            for period in one.columns.get(field, ()):
                if period.total is not None:
                    add(inside, range(period.first, period.last + 1), kind, period.total)
    for at, kind, of_days, total in stated:
        add([at], of_days, kind, total)
    if not cells:
        return []
    found = []
    for at in range(len(cells[0])):
        if not any(cell[at] for cell in cells):
            continue
        wanted = np.zeros(len(cells[0]))
        wanted[at] = -1
        bound = linprog(wanted, A_eq=np.array(cells), b_eq=totals, method="highs")
        if bound.status == 3:  # no cell has it: nothing is known
            continue
        assert bound.status == 0, bound.message
        if 1e-6 < -bound.fun < minimum - 1e-6:
            found.append((np.unravel_index(at, (len(arms), days, kinds)), -bound.fun))
    return found


def assert_nothing_small(arms, minimum=MINIMUM, results=None, stated=None):
    whole, parts = published(arms, results, minimum)
    for fields in (("opened", "machine_opened"), ("clicked",)):
        known = [one for of, one in (stated or ()) if of in ("sent", *fields[:1])]
        assert small_bounds(arms, whole, parts, fields, minimum, known) == [], fields


ROLES = (
    ["a treatment", "b treatment", "a control, b control"],
    ["a treatment", "a control", "b treatment"],
    ["a treatment", "b treatment", "c treatment", "a control, b control, c control"],
    ["a treatment", "b treatment", "c treatment", "a control, b control", "c control"],
    ["a treatment", "b treatment", "c treatment"],
)  # fmt: skip


@st.composite
def some_arms(draw, most=60):
    """A few days of arms: messages, opened by people, by machines only, clicked."""
    days = draw(st.integers(1, 4))
    found = []
    for roles in draw(st.sampled_from(ROLES)):
        top = draw(st.sampled_from([2, 12, most]))
        rows = []
        for _ in range(days):
            sent = draw(st.integers(0, top))
            opened = draw(st.integers(0, sent))
            rows.append((sent, opened, draw(st.integers(0, sent - opened)), draw(st.integers(0, sent))))
        sent, opened, machine, clicked = (list(column) for column in zip(*rows, strict=True))
        found.append(arm(roles, sent, opened, clicked, machine))
    return found


# As columns of two templates these gave 1 away: 41 messages, 40 of them clicked, over periods that gave nothing away.
SHARED = [
    arm("a control, b control", [1, 0, 12, 7, 0, 0], [1, 0, 12, 7, 0, 0]),
    arm("a treatment", [0] * 6, [0] * 6),
    arm("b treatment", [0, 0, 0, 0, 0, 21], [0] * 6),
]
# All templates together less a on the first days and less b on the last: 12, though neither difference alone is small.
MIXED = [
    arm("a treatment", [30, 30, 30, 30], [25, 25, 25, 25]),
    arm("b treatment", [7, 30, 30, 5], [3, 25, 25, 2]),
]
# The columns of ten templates add up to all messages and nine times the control's five.
MULTIPLE = [
    *(arm(f"t{at} treatment", [100] * 3, [40] * 3) for at in range(10)),
    arm(", ".join(f"t{at} control" for at in range(10)), [2, 2, 1], [0, 1, 0]),
]
# Sent less opened less opened by machines only: 3 that nobody opened.
UNOPENED = [arm("a treatment", [60, 60], [30, 30], machine=[28, 29])]
KNOWN = {"shared": SHARED, "mixed": MIXED, "multiple": MULTIPLE, "unopened": UNOPENED}


@pytest.mark.parametrize("name", KNOWN)
def test_known_ways_to_a_small_count_are_closed(name):
    assert_nothing_small(KNOWN[name])


@settings(max_examples=60, deadline=None)
@given(some_arms(), st.sampled_from([5, MINIMUM]))
@example(SHARED, MINIMUM)
def test_no_combination_of_cells_bounds_a_small_count(arms, minimum):
    assert_nothing_small(arms, minimum)


@settings(max_examples=15, deadline=None)
@given(some_arms(most=120))
def test_nor_do_the_cells_together_with_the_totals_of_the_arms(arms):
    names = sorted({name for one in arms for name, _ in one.roles})
    rows = [
        (name, role, "click", 72, True, day.day, None, day.sent, day.clicked)
        for one in arms for name, role in one.roles for day in one.days
    ]  # fmt: skip
    tested = [Plan(name, "click", control_share=None, start=FIRST) for name in names]
    results = analyse(pl.DataFrame(rows, schema=COUNTS, orient="row"), tested)
    stated = []
    for result in results:
        if result.key is None or not result.is_readable:
            continue
        compared = result.key.comparison
        dates = {*(compared.treatment.days or {}), *(compared.control.days or {})}
        days = [at for at, day in enumerate(arms[0].days) if day.day in dates]
        for role, counted in (
            ("treatment", result.key.comparison.treatment),
            ("control", result.key.comparison.control),
        ):
            at = [at for at, one in enumerate(arms) if (result.plan.template, role) in one.roles]
            both = (result.key.comparison.treatment, result.key.comparison.control)
            if at and not any(0 < one.messages < MINIMUM for one in both):
                stated.append(("sent", (at[0], None, days, counted.messages)))
            if at and not hides(result.key.comparison, MINIMUM):
                stated.append(("clicked", (at[0], 0, days, counted.successes)))
    # Totals of one arm over different days are not audited against each other (disclosure.py).
    over = {at: {tuple(days) for _, (of, _, days, _) in stated if of == at} for at in range(len(arms))}
    stated = [(field, one) for field, one in stated if len(over[one[0]]) == 1]
    assert_nothing_small(arms, results=results, stated=stated)


def test_the_audit_of_the_tests_finds_what_is_given_away():
    arms = [arm("a treatment", [30, 30], [25, 25]), arm("b treatment", [5, 5], [1, 0])]
    whole, parts = published(arms, minimum=1)
    assert small_bounds(arms, whole, parts, ("clicked",))


def test_a_small_template_beside_a_big_one_cannot_be_had_day_by_day():
    arms = [arm("a treatment", [100] * 6, [40] * 6, [25] * 6), arm("b treatment", [5] * 6, [2] * 6, [1] * 6)]
    whole, parts = published(arms)
    assert_nothing_small(arms)
    assert [one.total for one in parts["a"].columns["sent"]] == [100] * 6, "a small one does not coarsen a big one"
    assert [one.total for one in parts["b"].columns["sent"]] == [30]
    assert [one.total for one in whole.columns["sent"]] == [630], "over the same days, or a day's five would show"
    assert [one.total for one in parts["b"].columns["opened"]] == [None]
    assert whole.columns["sent"][0].total is not None


def test_a_large_funnel_keeps_its_days():
    whole, parts = published([arm("a treatment", [500] * 6, [200] * 6), arm("b treatment", [400] * 6, [100] * 6)])
    for found in (whole, *parts.values()):
        assert len(found.columns["sent"]) == len(found.columns["opened"]) == 6
    assert parts["a"].rates("opened")[0] == (FIRST, 0.4)


def test_ten_templates_with_a_large_shared_control_keep_their_days():
    arms = [arm(f"t{at} treatment", [100] * 6, [40] * 6) for at in range(9)]
    arms.append(arm(", ".join(f"t{at} control" for at in range(9)), [300] * 6, [90] * 6))
    whole, parts = published(arms)
    for found in (whole, *parts.values()):
        assert len(found.columns["opened"]) == 6
    assert whole.columns["sent"][0].total == 1_200, "the control's messages once"


def test_the_funnel_less_the_shown_arms_is_not_small_either():
    # The comparison of the first template has 7 messages more than its funnel.
    report = sample_report().templates[0]
    treatment, control = (one for one in sample_arms("welcome-email")[:2])
    if control.roles[0][1] == "treatment":
        treatment, control = control, treatment
    first = treatment.days[0]
    short = FunnelDay(first.day, first.sent - 7, first.opened, first.machine_opened, first.clicked, 0, 0)
    arms = (ArmFunnel(treatment.roles, (short, *treatment.days[1:])), control)
    whole, (found,) = publish(sample_report(templates=(report,), arms=arms))
    for one in (whole, found):
        assert [cell.total for cell in one.columns["sent"]] == [None]
    assert found.rates("clicked") == []


def test_a_report_without_days_has_no_funnel():
    assert publish(sample_report(templates=(), arms=())) == (None, ())
