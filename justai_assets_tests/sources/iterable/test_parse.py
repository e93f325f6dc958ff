"""Iterable's system webhooks, each kind of them, and the traps of the format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from justai_assets.contract.events import ITERABLE_EVENTS
from justai_assets_tests.sources.doors import DAY, Taken, take
from justai_assets_tests.sources.payloads import AT, BODIES, EMAIL
from justai_assets_tests.world import WEBHOOK_ORG, World, envelope

DOOR = "iterable_webhooks"
MESSAGE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def acme(world: World) -> World:
    world.add_org(WEBHOOK_ORG)
    return world


def taken(world: World, *bodies: dict[str, Any], **more: Any) -> Taken:
    world.land(DOOR, "acme", DAY, [envelope(body, **more) for body in bodies])
    return take(world, DOOR)


def event(name: str | None = "emailSend", at: str | None = AT, **fields: Any) -> dict[str, Any]:
    top = {key: fields.pop(key) for key in ("email", "userId") if key in fields}
    return {"eventName": name, "dataFields": {"createdAt": at, "messageId": MESSAGE, **fields}, **top}


def test_the_samples_cover_the_whole_catalogue() -> None:
    assert {body["eventName"] for body in BODIES.values()} == ITERABLE_EVENTS


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_kind_of_event_becomes_a_typed_row(body: dict[str, Any], acme: World) -> None:
    row = taken(acme, body).row
    fields = body["dataFields"]
    assert row["raw_event_name"] == body["eventName"]
    assert row["event_name"] == body["eventName"].replace("UnSubscribe", "Unsubscribe")
    assert row["event_timestamp"] == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert row["event_date"] == DAY
    for name, column in [("messageId", "message_id"), ("templateId", "template_id"), ("campaignId", "campaign_id")]:
        assert row[column] == (None if fields.get(name) is None else str(fields[name]))
    assert row["is_machine"] == (bool(fields.get("proxySource")) or fields.get("isBot") is True)
    assert (row["user_key"] is None) == (body.get("userId") is None)
    assert len(row["email_key"]) == 32
    assert EMAIL not in str(row)
    assert row["door"] == DOOR
    assert row["source_file"].startswith("webhooks/iterable/acme/event_date=2026-01-05/")


def test_all_kinds_in_one_file_are_all_accepted(acme: World) -> None:
    found = taken(acme, *BODIES.values())
    assert (found.received, found.accepted.height, found.duplicates) == (len(BODIES), len(BODIES), 0)


def test_the_unsubscribe_is_spelt_one_way_and_keeps_the_senders_spelling(acme: World) -> None:
    found = taken(acme, event("emailUnSubscribe"), event("emailUnsubscribe"))
    assert found.accepted.sort("raw_event_name").select("event_name", "raw_event_name").rows() == [
        ("emailUnsubscribe", "emailUnSubscribe"), ("emailUnsubscribe", "emailUnsubscribe"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["emailFutureEvent", "Ünïcode event", "emailsend", "a b/c:d"])
def test_an_unknown_name_is_data_and_stays_as_it_is(name: str, acme: World) -> None:
    assert taken(acme, event(name)).row["event_name"] == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (501, "501"),
        ("501", "501"),
        (" welcome ", "welcome"),
        (0, "0"),
        (9007199254740993, "9007199254740993"),
        (18446744073709551615, "18446744073709551615"),
        (12345678901234567890123, "12345678901234567890123"),
        (None, None),
        ("", None),
        ("   ", None),
    ],
)
def test_ids_are_text_and_never_pass_through_a_float(value: Any, text: str | None, acme: World) -> None:
    row = taken(acme, event(templateId=value, campaignId=value)).row
    assert (row["template_id"], row["campaign_id"]) == (text, text)


def test_message_ids_keep_their_case(acme: World) -> None:
    mixed = "uyDf828u4mbbbbGgrbDNEPeLHXpDGAnKkGZqBE8Pq"
    found = taken(acme, event(messageId=mixed), event(messageId=mixed.swapcase()))
    assert set(found.accepted["message_id"]) == {mixed, mixed.swapcase()}


@pytest.mark.parametrize("missing", [None, "", "  ", ...])
def test_null_absent_and_blank_are_the_same(missing: Any, acme: World) -> None:
    absent = (
        {} if missing is ... else dict.fromkeys(("email", "userId", "messageId", "templateId", "campaignId"), missing)
    )
    body = event(**absent)
    if missing is ...:
        del body["dataFields"]["messageId"]
    row = taken(acme, body).row
    names = ("email_key", "user_key", "message_id", "template_id", "campaign_id")
    assert [row[name] for name in names] == [None] * 5


@pytest.mark.parametrize(
    ("in_body", "in_query", "expected"),
    [
        (9001, "7", "9001"),
        (None, "7", "7"),
        ("", "7", "7"),
        (None, "", None),
        (None, None, None),
        (9001, "", "9001"),
        (None, 7, "7"),
    ],
)
def test_the_body_wins_over_the_query_string_and_a_blank_merge_tag_is_nothing(
    in_body: Any, in_query: Any, expected: str | None, acme: World
) -> None:
    query = {} if in_query is None else {"campaignId": in_query, "other": "x"}
    assert taken(acme, event(campaignId=in_body), query=query).row["campaign_id"] == expected


@pytest.mark.parametrize(
    ("fields", "is_machine"),
    [
        ({}, False), ({"isBot": None}, False), ({"isBot": False}, False), ({"isBot": "false"}, False),
        ({"isBot": True}, True), ({"isBot": "true"}, True), ({"proxySource": "Apple"}, True),
        ({"proxySource": ""}, False), ({"proxySource": None}, False), ({"proxySource": "Gmail", "isBot": False}, True),
    ],
)  # fmt: skip
def test_a_machine_is_flagged_and_not_dropped(fields: dict[str, Any], is_machine: bool, acme: World) -> None:
    assert taken(acme, event("emailOpen", **fields)).row["is_machine"] is is_machine


@pytest.mark.parametrize(
    ("at", "second"),
    [
        ("2026-01-05 10:00:00 +00:00", 0),
        ("2026-01-05 15:30:00 +05:30", 0),
        ("2026-01-04 23:00:01 -11:00", 1),
        ("2026-01-05T10:00:00Z", 0),
        ("2026-01-05T10:00:00.5Z", 0.5),
        ("2026-01-05 10:00:00.250+00:00", 0.25),
        ("  2026-01-05 10:00:02 +00:00 ", 2),
    ],
)
def test_times_with_an_offset_are_read_in_utc(at: str, second: float, acme: World) -> None:
    moment = datetime(2026, 1, 5, 10, 0, int(second), round(second % 1 * 1e6), tzinfo=UTC)
    assert taken(acme, event(at=at)).row["event_timestamp"] == moment


@pytest.mark.parametrize(
    "at",
    [None, "", "yesterday", "2026-01-05", "2026-01-05 10:00:00", "2026-02-30 10:00:00 +00:00", 1767607200, True,
     "2026-01-05 25:00:00 +00:00", "05/01/2026 10:00:00 +00:00"],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_refused_with_the_events_id(at: Any, acme: World) -> None:
    found = taken(acme, event(at=at), event())
    assert found.reasons == ["bad_timestamp"]
    assert found.rejected["record_id"].null_count() == 0
    assert found.accepted.height == 1


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-01-05 00:00:00 +00:00", None),
        ("2026-01-05 23:59:59 +00:00", None),
        ("2026-01-04 23:59:59 +00:00", "outside_day"),
        ("2026-01-06 00:00:00 +00:00", "outside_day"),
        ("2026-01-05 00:30:00 +01:00", "outside_day"),
        ("9999-12-31 23:59:59 +00:00", "outside_day"),
        ("0001-01-01 00:00:00 +00:00", "outside_day"),
    ],
)
def test_an_event_belongs_to_the_folder_of_its_day_in_utc(at: str, reason: str | None, acme: World) -> None:
    assert taken(acme, event(at=at)).reasons == ([reason] if reason else [])


@pytest.mark.parametrize("name", [None, "", "  "])
def test_an_event_without_a_name_is_refused(name: str | None, acme: World) -> None:
    assert taken(acme, event(name)).reasons == ["missing_event_name"]


def test_the_same_body_twice_is_one_event_and_a_second_later_is_another(acme: World) -> None:
    click = event("emailClick")
    later = event("emailClick", at="2026-01-05 10:00:01 +00:00")
    turned = {"dataFields": dict(reversed(click["dataFields"].items())), "eventName": "emailClick"}
    found = taken(acme, click, later, click, turned)
    assert (found.received, found.accepted.height, found.duplicates) == (4, 2, 2)


def test_the_email_of_the_top_wins_and_that_of_the_fields_is_the_fallback(acme: World) -> None:
    def key(**fields: Any) -> Any:
        body = event()
        body["email"] = fields.get("top")
        body["dataFields"]["email"] = fields.get("inner")
        acme.land(DOOR, "acme", DAY, [envelope(body)])
        return take(acme, DOOR).row["email_key"]

    first, second = key(top="a@example.com"), key(top="b@example.com")
    assert first != second
    assert key(top="a@example.com", inner="b@example.com") == first
    assert key(inner="b@example.com") == second
    assert key(top=" ", inner=" B@Example.COM ") == second


def test_an_event_without_anybody_is_kept(acme: World) -> None:
    row = taken(acme, event()).row
    assert (row["email_key"], row["user_key"]) == (None, None)


@pytest.mark.parametrize("fields", [..., None, {}])
def test_an_event_without_fields_has_no_time_and_is_refused(fields: Any, acme: World) -> None:
    body = {"eventName": "emailOpen"} if fields is ... else {"eventName": "emailOpen", "dataFields": fields}
    assert taken(acme, body).reasons == ["bad_timestamp"]


def test_a_receipt_time_that_cannot_be_read_is_null_and_no_hindrance(acme: World) -> None:
    assert taken(acme, event(), received_at="?").row["received_at"] is None


@pytest.mark.parametrize(("mark", "expected"), [(False, False), (True, True), (..., True), (None, True), ({}, True)])
def test_an_event_that_no_credential_vouched_for_stays_marked(mark: Any, expected: bool, acme: World) -> None:
    row = taken(acme, event("emailOpen"), **({} if mark is ... else {"authenticated": mark})).row
    assert row["is_authenticated"] is expected
