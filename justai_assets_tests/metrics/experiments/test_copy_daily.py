from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS
from justai_assets.events.event_stream import engagement_class
from justai_assets.events.message_outcomes import outcomes_of
from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.copy_daily import (
    count_copies,
    counted_events,
    counts_of,
    people_of,
    plans,
    sends_without_message,
)
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.funnel import funnel_of
from justai_assets.metrics.experiments.rules import Plan
from justai_assets.orgs.model import Attribution, Org
from justai_assets.orgs.templates import Arm, Template
from justai_assets_tests.metrics.events import one_part

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = Days(date(2026, 1, 1), date(2026, 1, 1))
WELCOME = Template(
    id="welcome",
    key_metric="purchase",
    treatment=Arm(template_id="501", campaign_id="9001"),
    control=Arm(template_id="502", campaign_id="9002"),
)
RULE = Attribution(window_hours=24, windows={"signup": 36})
ARMS = {"treatment": ("501", "9001"), "control": ("502", "9002")}


def event(name, message, hours=0.0, arm="treatment", user="u1", machine=False, email=None):
    at = NOON + timedelta(hours=hours)
    template, campaign = ARMS.get(arm, (None, None))
    return {
        "event_id": f"{name} {message} {hours} {user}",
        "event_name": name,
        "raw_event_name": name,
        "event_timestamp": at,
        "event_date": at.date(),
        "message_id": message,
        "template_id": template,
        "campaign_id": campaign,
        "user_key": user,
        "email_key": email,
        "is_machine": machine,
        "door": "iterable_webhooks",
    }


def send(message, hours=0.0, **more):
    return event("emailSend", message, hours, **more)


def custom(name, message, hours):
    at = NOON + timedelta(hours=hours)
    return {
        "event_name": name,
        "event_timestamp": at,
        "event_date": at.date(),
        "door": "journey_webhooks",
        "window_hours": 24,
        "message_id": message,
        "is_attributed": message is not None,
    }


@dataclass(frozen=True)
class Found:
    counts: pl.DataFrame
    people: pl.DataFrame
    funnel: pl.DataFrame
    sends_without_message: int


def counted(engagement, conversions=(), days=DAY, templates=(WELCOME,), events=("purchase", "signup"), copies=None):
    """From events to counts, as the assets do it, without a lake between."""
    found = org(custom=(), templates=templates, experiments={"events": events} if events else {},
                attribution=RULE if events else Attribution())  # fmt: skip
    engaged = pl.DataFrame(list(engagement), schema=ESP_EVENTS.schema).with_columns(
        engagement_class(found).alias("event_class"),
        pl.lit(None, pl.Int32).alias("window_hours"),
        pl.lit(None, pl.Float64).alias("value"),
    )
    schema = {**ATTRIBUTED_EVENTS.schema, "value": pl.Float64()}
    converted = pl.DataFrame(list(conversions), schema=schema).with_columns(
        pl.lit("custom").alias("event_class"),
        *(pl.lit(None, pl.String).alias(name) for name in ("email_key", "user_key")),
        pl.lit(None, pl.Boolean).alias("is_machine"),
    )
    names = ("event_class", "event_name", "event_timestamp", "event_date", "message_id", "template_id", "campaign_id",
             "email_key", "user_key", "is_machine", "window_hours", "value")  # fmt: skip
    events = pl.concat([engaged.select(names), converted.select(names)])
    outcomes = outcomes_of(one_part(events.lazy(), days), days)
    if copies is not None:
        outcomes = outcomes.drop("copy_id").join(copies, on="message_id", how="left").select(outcomes.columns)
    rows = count_copies(outcomes.lazy(), found)
    return Found(
        counts_of(rows), people_of(outcomes.lazy(), found), funnel_of(rows),
        sends_without_message(outcomes.lazy(), templates),
    )  # fmt: skip


def whole(found):
    return found.funnel.filter(pl.col("template").is_null())


def successes(found, metric, hours=None, arm="treatment"):
    rows = found.counts.filter(pl.col("metric") == metric, pl.col("arm") == arm)
    rows = rows.filter(pl.col("window_hours") == hours) if hours else rows
    return rows["successes"].sum()


def test_a_cohort_has_a_row_for_every_metric_even_where_nothing_followed():
    found = counted([send("m1"), send("m2", arm="control")])
    assert found.counts.schema == COUNTS
    assert found.counts["successes"].sum() == 0
    metrics = found.counts.select("arm", "metric", "window_hours").rows()
    assert len(metrics) == len(set(metrics)) == 2 * (3 + 3 + 4)
    own = found.counts.filter("is_own_window", pl.col("arm") == "control").select("metric", "window_hours")
    assert set(own.rows()) == {
        ("open", 72), ("click", 72), ("unsubscribe", 72), ("conversion:purchase", 24), ("conversion:signup", 36),
    }  # fmt: skip


def test_a_message_succeeds_once_however_often_it_is_opened():
    found = counted(
        [send("m1"), event("emailOpen", "m1", 1), event("emailOpen", "m1", 2), event("emailClick", "m1", 2)]
    )
    assert (successes(found, "open"), successes(found, "click")) == (1, 1)


@pytest.mark.parametrize(("hours", "counts"), [(-0.01, 0), (0, 1), (71.99, 1), (72, 0)])
def test_the_window_begins_with_the_send_and_ends_before_72_hours(hours, counts):
    assert successes(counted([send("m1"), event("emailClick", "m1", hours)]), "click") == counts


@pytest.mark.parametrize(
    ("hours", "inside"), [(0, [24, 48, 72]), (23.9, [24, 48, 72]), (24, [48, 72]), (48, [72]), (72, []), (-1, [])]
)
def test_a_conversion_is_counted_in_every_window_it_lies_in(hours, inside):
    found = counted([send("m1")], [custom("purchase", "m1", hours)])
    assert [w for w in (24, 48, 72) if successes(found, "conversion:purchase", w)] == inside


def test_a_click_after_midnight_belongs_to_the_day_of_the_send():
    found = counted([send("m1"), event("emailClick", "m1", 30)])
    assert found.counts.filter(pl.col("successes") > 0)["cohort_date"].to_list() == [DAY.first]


def test_machine_opens_are_kept_apart():
    found = counted([
        send("m1"), event("emailOpen", "m1", 1, machine=True),
        send("m2"), event("emailOpen", "m2", 1, machine=True), event("emailOpen", "m2", 2),
        send("m3"), event("emailClick", "m3", 1, machine=True),
    ])  # fmt: skip
    assert (successes(found, "open"), successes(found, "click")) == (1, 0)
    assert whole(found).select("sent", "opened", "machine_opened", "clicked").row(0) == (3, 1, 1, 0)


def test_a_hosted_unsubscribe_click_is_not_a_second_unsubscribe():
    found = counted([send("m1"), event("emailUnsubscribe", "m1", 1), event("hostedUnsubscribeClick", "m1", 1)])
    assert successes(found, "unsubscribe") == 1
    assert successes(counted([send("m1"), event("hostedUnsubscribeClick", "m1", 1)]), "unsubscribe") == 0


def test_other_peoples_templates_other_days_and_other_events_are_not_counted():
    found = counted([send("m1", arm="elsewhere"), send("m2", -24), send("m3", 24), event("emailSendSkip", "m4")])
    assert found.counts.is_empty()
    assert found.funnel.is_empty()


def test_a_send_without_a_message_is_counted_apart():
    found = counted([send(None), send("m1")])
    assert found.sends_without_message == 1
    assert whole(found)["sent"].to_list() == [1]


def test_a_message_sent_twice_is_one_message_of_its_first_send():
    found = counted([send("m1", 0), send("m1", 5), event("emailClick", "m1", 73)])
    assert whole(found)["sent"].to_list() == [1]
    assert successes(found, "click") == 0


def test_one_person_in_both_arms_is_in_both():
    found = counted([send("m1"), send("m2", arm="control"), event("emailClick", "m2", 1)])
    rows = found.people.select("arm", "user", "metric", "messages", "successes").rows()
    assert sorted(rows, key=str) == [
        ("control", "u1", "click", 0, 1), ("control", "u1", None, 1, 0), ("treatment", "u1", None, 1, 0),
    ]  # fmt: skip


def test_two_templates_may_share_a_control():
    other = Template(id="other", treatment=Arm(template_id="503", campaign_id="9003"), control=WELCOME.control)
    found = counted([send("m1", arm="control"), event("emailClick", "m1", 1)], templates=(WELCOME, other))
    clicks = found.counts.filter(pl.col("metric") == "click").select("template", "messages", "successes")
    assert clicks.rows() == [("other", 1, 1), ("welcome", 1, 1)]
    sent = found.funnel.select("template", "sent", "clicked").rows()
    assert sent == [(None, 1, 1), ("other", 1, 1), ("welcome", 1, 1)], "all together, it was sent once"


def test_the_email_key_stands_in_where_the_user_key_is_missing():
    found = counted([send("m1", user=None, email="e1"), send("m2", user=None, email="e1")])
    assert found.people["user"].unique().to_list() == ["e1"]


def test_a_message_without_a_key_names_nobody():
    found = counted([send("m1"), send("m2", user=None), send("m3", user=None), send("m4", user=None, arm="control")])
    assert found.people.select("arm", "messages").rows() == [("treatment", 1)]


def test_copies_are_told_apart_where_they_are_known():
    copies = pl.DataFrame({"message_id": ["m1", "m2"], "copy_id": ["a", "b"]})
    found = counted([send("m1"), send("m2"), send("m3")], copies=copies)
    clicks = found.counts.filter(pl.col("metric") == "click").select("copy_id", "messages")
    assert sorted(clicks.rows(), key=str) == [("a", 1), ("b", 1), (None, 1)]


def org(**changes):
    doors = {"iterable_webhooks": {}, "journey_webhooks": {"events": {"1": "trial", "2": "call"}}}
    given = {"custom": ("journey_webhooks",), "attribution": RULE, "templates": (WELCOME,), "sources": doors}
    return Org(
        slug="acme", start_date=DAY.first, pseudonym_salt="env:S", engagement="iterable_webhooks", **given | changes
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
