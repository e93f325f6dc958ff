"""What is counted for an org: its events, its plans, and that any cut of the days gives the same."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.copy_daily import (
    counted_events,
    plans,
)
from justai_assets.experiments.decision_rules import Plan
from justai_assets.orgs.org_model import Attribution
from justai_assets.orgs.templates import Template
from justai_assets_tests.experiments.cohorts import (
    ARMS,
    NOON,
    WELCOME,
    counted,
    custom,
    event,
    org,
    send,
    successes,
    whole,
)


def test_the_events_counted_are_those_the_org_file_names():
    assert counted_events(org(experiments={"events": ["renewal"]})) == (
        "call",
        "purchase",
        "renewal",
        "signup",
        "trial",
    )
    assert counted_events(org(custom=())) == ("purchase", "signup"), "a door that nobody reads brings nothing"
    clicker = Template(id="x", key_metric="click", treatment=WELCOME.treatment)
    assert counted_events(org(custom=(), templates=(clicker,), attribution=Attribution())) == ()


def test_plans_are_those_of_the_org_file():
    clicker = Template(
        id="x", key_metric="click", treatment=WELCOME.treatment, control_share=None, split_unit="user",
        experiment_start=date(2026, 1, 9),
    )  # fmt: skip
    assert plans([WELCOME, clicker]) == (
        Plan("welcome", "conversion:purchase", control_share=None, treatment_id="501 9001", control_id="502 9002"),
        Plan(
            "x",
            "click",
            has_control=False,
            control_share=None,
            split_unit="user",
            start=date(2026, 1, 9),
            treatment_id="501 9001",
        ),
    )


def test_an_org_without_custom_events_is_counted_too():
    clicked = WELCOME.model_copy(update={"key_metric": "click"})
    found = counted([send("m1"), event("emailClick", "m1", 1)], events=(), templates=(clicked,))
    assert set(found.counts["metric"]) == {"open", "click", "unsubscribe"}
    assert whole(found)["converted"].to_list() == [0]


def test_days_one_by_one_are_the_range():
    sends = [send(f"m{h}", h, user=f"u{h % 5}") for h in range(0, 72, 3)]
    rows = [*sends, *(event("emailClick", one["message_id"], at * 3 + 20) for at, one in enumerate(sends))]
    at_once = counted(rows, days=Days(date(2026, 1, 1), date(2026, 1, 4)))
    parts = [counted(rows, days=Days(day, day)) for day in Days(date(2026, 1, 1), date(2026, 1, 4))]
    assert_frame_equal(pl.concat([one.counts for one in parts]), at_once.counts, check_row_order=False)
    assert_frame_equal(pl.concat([one.people for one in parts]), at_once.people, check_row_order=False)


def test_counts_and_people_go_straight_into_the_analysis():
    rows = [send(f"t{i}", user=f"u{i % 300}") for i in range(900)]
    rows += [send(f"c{i}", arm="control", user=f"u{i % 90}") for i in range(100)]
    rows += [event("emailClick", f"t{i}", 1) for i in range(0, 900, 3)] + [
        event("emailClick", f"c{i}", 1) for i in range(25)
    ]
    found = counted(rows)
    (result,) = analyse(found.counts, plans([WELCOME]), people=lambda: [found.people.lazy()])
    click = next(one for one in result.metrics if one.metric == "click")
    assert (click.comparison.variance, click.comparison.treatment.users) == ("user", 300)
    assert (click.comparison.treatment.successes, click.comparison.control.successes) == (300, 25)


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["m1", "m2", "m3"]), st.sampled_from([0.0, 1.0, 11.0]), st.sampled_from(list(ARMS))),
    max_size=6,
)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["emailOpen", "emailClick", "purchase", "signup"]),
        st.sampled_from(["m1", "m2", "m3", "m9"]),
        st.sampled_from([-1.0, 0.0, 1.0, 24.0, 25.0, 36.0, 71.0, 72.0, 83.0]),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(MESSAGES, EVENTS)
def test_the_counts_are_those_of_a_plain_loop(messages, events):
    engagement = [event(name, message, hours) for name, message, hours in events if name.startswith("email")]
    conversions = [custom(name, message, hours) for name, message, hours in events if not name.startswith("email")]
    sends = [send(message, hours, arm=arm) for message, hours, arm in messages]
    found = counted([*sends, *engagement], conversions)
    first = {}
    for one in sorted(sends, key=lambda row: (row["event_timestamp"], row["template_id"])):
        first.setdefault(one["message_id"], one)
    for metric, names, hours in (
        ("open", {"emailOpen"}, 72), ("click", {"emailClick"}, 72), ("conversion:purchase", {"purchase"}, 24),
        ("conversion:purchase", {"purchase"}, 72), ("conversion:signup", {"signup"}, 36),
    ):  # fmt: skip
        expected = sum(
            any(
                name in names and message == one["message_id"]
                and timedelta(0) <= NOON + timedelta(hours=at) - one["event_timestamp"] < timedelta(hours=hours)
                for name, message, at in events
            )
            for one in first.values()
        )  # fmt: skip
        assert sum(successes(found, metric, hours, arm) for arm in ARMS) == expected
