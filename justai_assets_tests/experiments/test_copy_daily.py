import polars as pl
import pytest

from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.orgs.templates import Arm, Template
from justai_assets_tests.experiments.cohorts import DAY, WELCOME, counted, custom, event, send, successes, whole


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
