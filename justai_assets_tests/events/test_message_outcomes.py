"""message_outcomes: one row a message, by the day of its first send."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, MESSAGE_OUTCOMES, SERVED_COPIES
from justai_assets.events import message_outcomes, message_parts
from justai_assets.events.message_outcomes import build_message_outcomes, outcomes_of
from justai_assets_tests.experiments.events import an_org, one_part, write
from justai_assets_tests.world import World

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ONE = Days(DAY, DAY)
COLUMNS = {
    "event_class": pl.String, "event_name": pl.String, "event_timestamp": pl.Datetime("us", "UTC"),
    "event_date": pl.Date, "message_id": pl.String, "template_id": pl.String, "campaign_id": pl.String,
    "email_key": pl.String, "user_key": pl.String, "is_machine": pl.Boolean, "window_hours": pl.Int32,
    "value": pl.Float64,
}  # fmt: skip


def event(kind, message="m", hours=0.0, *, name=None, machine=False, template="501", person="p", value=None):
    at = NOON + timedelta(hours=hours)
    hours = {"custom": 24}.get(kind)
    return (kind, name or kind, at, at.date(), message, template, "9001", person, None, machine, hours, value)


def outcomes(*events, days=ONE):
    stream = pl.LazyFrame(list(events), schema=COLUMNS, orient="row")
    found = outcomes_of(one_part(stream, days), days)
    assert found.schema == MESSAGE_OUTCOMES.schema
    return found.sort("send_date", "message_id")


def test_a_row_holds_the_first_of_each_kind_and_machines_apart():
    row = outcomes(
        event("send"), event("open", hours=1, machine=True), event("open", hours=3), event("open", hours=2),
        event("click", hours=4, machine=True), event("unsubscribe", hours=5), event("bounce", hours=6),
    ).row(0, named=True)  # fmt: skip
    at = {
        name: (row[name] - NOON) / timedelta(hours=1) if row[name] else None for name in row if name.startswith("first")
    }
    assert at == {
        "first_open": 2, "first_machine_open": 1, "first_click": None, "first_machine_click": 4,
        "first_unsubscribe": 5, "first_bounce": 6, "first_conversion": None,
    }  # fmt: skip
    assert (row["sends"], row["template_id"], row["person"], row["conversions"]) == (1, "501", "p", None)
    counts = ("opens", "machine_opens", "clicks", "machine_clicks", "unsubscribes", "attributed_conversions")
    assert [row[name] for name in counts] == [2, 1, 0, 1, 1, 0]


def test_values_are_added_up_by_name_within_the_own_window_and_kept_apart():
    row = outcomes(
        event("send"), event("custom", hours=1, name="purchase", value=0.1),
        event("custom", hours=2, name="purchase", value=0.2), event("custom", hours=2, name="checkout", value=0.3),
        event("custom", hours=3, name="purchase"), event("custom", hours=4, name="signup"),
        event("custom", hours=24, name="purchase", value=50.0), event("custom", hours=-1, name="purchase", value=9.0),
    ).row(0, named=True)  # fmt: skip
    assert row["values"] == [{"event_name": "checkout", "value": 0.3}, {"event_name": "purchase", "value": 0.3}]
    assert outcomes(event("send"), event("custom", hours=1, name="purchase")).row(0, named=True)["values"] is None


def test_conversions_are_counted_by_name_with_the_delay_of_the_first():
    found = outcomes(
        event("send"), event("custom", hours=2, name="signup"), event("custom", hours=30, name="purchase"),
        event("custom", hours=50, name="purchase"), event("custom", hours=-1, name="purchase"),
        event("custom", hours=72, name="purchase"),
    )  # fmt: skip
    hour = 3_600_000_000
    assert found["conversions"].to_list() == [[
        {"event_name": "purchase", "first_after_us": 30 * hour, "events": 2},
        {"event_name": "signup", "first_after_us": 2 * hour, "events": 1},
    ]]  # fmt: skip
    assert found.select("first_conversion", "attributed_conversions").rows() == [(NOON + timedelta(hours=2), 1)]


@pytest.mark.parametrize(("hours", "counts"), [(-0.001, False), (0, True), (71.999, True), (72, False)])
def test_the_window_begins_with_the_send_and_ends_before_72_hours(hours, counts):
    (found,) = outcomes(event("send"), event("click", hours=hours))["first_click"].is_not_null().to_list()
    assert found is counts


def test_a_message_sent_again_within_three_days_is_the_same_message():
    events = [event("send"), event("send", hours=5), event("send", hours=80), event("click", hours=81)]
    days = Days(DAY, DAY + timedelta(5))
    found = outcomes(*events, days=days)
    assert found.select("send_date", "sends").rows() == [(DAY, 2)]
    assert found["first_click"].to_list() == [None], "the click came more than 72 h after the first send"
    again = outcomes(*events, event("send", hours=200), days=Days(DAY, DAY + timedelta(9)))
    assert again["send_date"].to_list() == [DAY, DAY + timedelta(8)], "four days later it is another message"


def test_of_two_first_sends_at_one_moment_the_least_ids_are_taken():
    found = outcomes(event("send", template="502"), event("send", template="501"))
    assert found.select("template_id", "sends").rows() == [("501", 2)]


def test_sends_without_a_message_id_are_one_row_that_counts_them():
    found = outcomes(event("send", None), event("send", None, 1), event("send", "m"), event("open", None, 1))
    assert found.select("message_id", "sends", "first_open").rows() == [(None, 2, None), ("m", 1, None)]


def test_where_machines_are_unknown_an_open_counts_and_the_row_says_so():
    found = outcomes(event("send", machine=None), event("open", hours=1, machine=None))
    assert found.select(pl.col("first_open").is_not_null(), "is_machine_known").rows() == [(True, False)]


TIMES = st.sampled_from([-73.0, -24.0, -12.0, 0.0, 0.5, 11.0, 12.0, 36.0, 60.0, 71.5, 72.0, 96.0])
EVENTS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "open", "click", "custom"]), st.sampled_from(["a", "b", None]), TIMES,
              st.booleans()),
    max_size=12,
)  # fmt: skip


def by_loop(events, days):
    """The same by a plain loop over events: the reference."""
    found = {}
    for kind, message, hours, _ in events:
        at = NOON + timedelta(hours=hours)
        if kind != "send" or message is None or at.date() not in days:
            continue
        others = [NOON + timedelta(hours=h) for k, m, h, _ in events if k == "send" and m == message]
        if any(timedelta(0) <= at.date() - one.date() <= timedelta(3) and one < at for one in others):
            continue
        ages = [(k, machine, NOON + timedelta(hours=h) - at) for k, m, h, machine in events if m == message]
        inside = [(k, machine, age) for k, machine, age in ages if timedelta(0) <= age < timedelta(hours=72)]
        found[at.date(), message] = (
            sum(k == "send" for k, _, _ in inside),
            min((age for k, machine, age in inside if k == "open" and not machine), default=None),
            min((age for k, machine, age in inside if k == "open" and machine), default=None),
            sum(k == "custom" for k, _, _ in inside),
        )
    return found


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.integers(0, 4))
def test_the_rows_are_those_of_a_plain_loop(events, more):
    days = Days(DAY - timedelta(1), DAY + timedelta(more))
    found = outcomes(
        *(event(kind, message, hours, machine=machine) for kind, message, hours, machine in events), days=days
    )
    rows = {
        (row["send_date"], row["message_id"]): (
            row["sends"],
            row["first_open"] - row["sent_at"] if row["first_open"] else None,
            row["first_machine_open"] - row["sent_at"] if row["first_machine_open"] else None,
            sum(one["events"] for one in row["conversions"] or ()),
        )
        for row in found.drop_nulls("message_id").to_dicts()
    }
    assert rows == by_loop(events, days)


def land(world: World, days: int = 6) -> None:
    """Sends, resends, opens and purchases of 40 messages a day, with people who come back."""
    for at in range(days):
        day = DAY + timedelta(at)
        noon = NOON + timedelta(at)
        ids = {"template_id": "501", "campaign_id": "9001", "event_date": day, "door": "iterable_webhooks"}
        rows, custom = [], []
        for number in range(40):
            for name, message in (
                ("emailSend", f"{at} {number}"),
                ("emailOpen", f"{max(0, at - number % 5)} {number}"),
                *([("emailSend", f"{at - 1} {number}")] if number % 7 == 0 and at else []),
            ):
                rows.append({"event_id": f"{name} {message} {at}", "event_name": name, "raw_event_name": name,
                             "event_timestamp": noon + timedelta(minutes=number), "message_id": message,
                             "is_machine": False, "user_key": f"{number:032x}", **ids})  # fmt: skip
            if number % 3 == 0:
                custom.append(
                    {
                        "event_name": "purchase",
                        "event_timestamp": noon + timedelta(minutes=number + 1),
                        "message_id": f"{at} {number}",
                        "window_hours": 24,
                        "is_attributed": True,
                        **ids,
                    }
                )
        write(world, ESP_EVENTS, day, pl.DataFrame(rows, schema=ESP_EVENTS.schema))
        write(world, ATTRIBUTED_EVENTS, day, pl.DataFrame(custom, schema=ATTRIBUTED_EVENTS.schema))


def table(world: World) -> pl.DataFrame:
    return world.lake.scan("acme", MESSAGE_OUTCOMES).collect().sort("send_date", "message_id")


def test_days_in_any_order_singly_divided_or_as_a_range_are_the_same_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = an_org(world)
    land(world)
    days = Days(DAY, DAY + timedelta(5))
    reports = build_message_outcomes(org, world.lake, days)
    whole = table(world)
    assert [one.rows for one in reports] == [40] * 6
    assert whole["sends"].max() == 2
    for day in (3, 0, 5, 1, 4, 2):
        build_message_outcomes(org, world.lake, Days(DAY + timedelta(day), DAY + timedelta(day)))
    assert_frame_equal(table(world), whole)
    monkeypatch.setattr(message_parts, "ROWS_PER_PART", 50)
    monkeypatch.setattr(message_outcomes, "DAYS_PER_PASS", 4)
    build_message_outcomes(org, world.lake, days)
    assert_frame_equal(table(world), whole)


def test_the_copy_is_that_of_the_send_day(world: World) -> None:
    org = an_org(world)
    land(world, 1)
    calls = [{"event_id": f"{message} {copy}", "event_timestamp": NOON, "event_date": DAY, "message_id": message,
              "copy_id": copy} for message, copy in (("0 1", "x"), ("0 2", "y"), ("other", "z"))]  # fmt: skip
    write(world, SERVED_COPIES, DAY, pl.DataFrame(calls, schema=SERVED_COPIES.schema))
    build_message_outcomes(org, world.lake, ONE)
    known = table(world).drop_nulls("copy_id").select("message_id", "copy_id").rows()
    assert known == [("0 1", "x"), ("0 2", "y")]
