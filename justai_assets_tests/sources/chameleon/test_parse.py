from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from justai_assets_tests.sources.doors import DAY, Taken, take
from justai_assets_tests.world import WEBHOOK_ORG, World

DOOR = "chameleon_webhooks"
TOUR = "5f3c4232c712de665632a6d4"
KINDS = [
    *(f"tour.{act}" for act in ("started", "completed", "exited", "snoozed", "button.clicked")),
    *("survey.started", "embed.completed", "demo.started", "response.finished", "alert.triggered", "helpbar.search"),
]


@pytest.fixture
def acme(world: World) -> World:
    sources = {**WEBHOOK_ORG["sources"], DOOR: {"signing_secret": "env:ACME_SALT"}}
    world.add_org(WEBHOOK_ORG, sources=sources, custom=["journey_webhooks", DOOR])
    return world


def hook(number: int = 1, kind: Any = "tour.completed", sent_at: Any = "2026-01-05T10:00:00.123Z", **data: Any) -> str:
    body = {"id": f"5f3c{number:020x}", "kind": kind, "sent_at": sent_at, "data": data}
    return json.dumps({"id": f"5f3c{number:020x}", "received_at": "2026-01-05T10:00:01Z", "query": {}, "body": body})


def taken(world: World, *lines: str) -> Taken:
    world.land(DOOR, "acme", DAY, lines)
    return take(world, DOOR)


PROFILE = {"id": "5f3c", "uid": "ada-9", "email": " Ada@Example.com"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_event_of_that_name(kind: str, acme: World) -> None:
    row = taken(acme, hook(kind=kind, profile=PROFILE, tour={"id": TOUR, "name": "Welcome"})).row
    assert row["event_name"] == kind
    assert row["event_timestamp"] == datetime(2026, 1, 5, 10, 0, 0, 123000, tzinfo=UTC)
    assert row["template_id"] == TOUR
    assert len(row["email_key"]) == len(row["user_key"]) == 32


@pytest.mark.parametrize("thing", ["tour", "survey", "embed", "demo"])
def test_the_thing_that_was_shown_is_the_template(thing: str, acme: World) -> None:
    assert taken(acme, hook(**{thing: {"id": TOUR}})).row["template_id"] == TOUR


@pytest.mark.parametrize("profile", [None, {}, ..., {"uid": None, "email": ""}])
def test_a_profile_may_be_null_empty_or_absent(profile: Any, acme: World) -> None:
    row = taken(acme, hook(tour={"id": TOUR}, **({} if profile is ... else {"profile": profile}))).row
    assert (row["email_key"], row["user_key"]) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        {"profile": {**PROFILE, f"copy_id_{TOUR}": "copy-7"}},
        {"profile": {**PROFILE, "properties": {f"copy_id_{TOUR}": "copy-7"}}},
        {"properties": {f"copy_id_{TOUR}": "copy-7"}, "profile": None},
        {"profile": {**PROFILE, f"copy_id_{TOUR}": "copy-7", "bio": 'says "hi" \\ and {'}},
        {"profile": {**PROFILE, "copy_id_aaa": "copy-1", f"copy_id_{TOUR}": "copy-7", "copy_id_zzz": "copy-9"}},
        {"profile": {**PROFILE, "bio": f'"copy_id_{TOUR}": "copy-1"', f"copy_id_{TOUR}": "copy-7"}},
        {
            "profile": {**PROFILE, f"x copy_id_{TOUR}": "copy-1", f'"copy_id_{TOUR}': "copy-1"},
            "extra": [{f"copy_id_{TOUR}": "copy-7"}],
        },
        {f"copy_id_{TOUR}": "copy-7", "profile": {f"copy_id_{TOUR}": None}},
    ],
)
def test_the_copy_is_found_wherever_it_sits(data: dict[str, Any], acme: World) -> None:
    assert taken(acme, hook(tour={"id": TOUR}, **data)).row["copy_id"] == "copy-7"


def test_without_a_copy_there_is_none_and_neighbours_do_not_lend_theirs(acme: World) -> None:
    found = taken(
        acme, hook(1, tour={"id": TOUR}), hook(2, tour={"id": TOUR}, profile={f"copy_id_{TOUR}": "copy-7"}), hook(3),
        "", "{broken",
    )  # fmt: skip
    by_id = dict(found.accepted.select("event_id", "copy_id").rows())
    assert by_id == {f"5f3c{1:020x}": None, f"5f3c{2:020x}": "copy-7", f"5f3c{3:020x}": None}
    assert found.reasons == ["not_json"]


@pytest.mark.parametrize(("value", "copy"), [(12, "12"), (1.5, "1.5"), (True, None), ("", None), ({}, None)])
def test_a_copy_is_a_text_or_a_number(value: Any, copy: str | None, acme: World) -> None:
    row = taken(acme, hook(tour={"id": TOUR}, profile={**PROFILE, f"copy_id_{TOUR}": value})).row
    assert row["copy_id"] == copy


@pytest.mark.parametrize("data", [{"tour": {"id": TOUR}}, {}, {"tour": None, "survey": {"id": "bbb"}}])
def test_the_copy_of_another_tour_is_not_this_ones(data: dict[str, Any], acme: World) -> None:
    assert taken(acme, hook(**data, profile={**PROFILE, "copy_id_aaa": "copy-1"})).row["copy_id"] is None


def test_a_copy_in_the_query_string_is_not_signed_and_not_read(acme: World) -> None:
    envelope = json.loads(hook(tour={"id": TOUR}))
    envelope["query"] = {f"copy_id_{TOUR}": "forged"}
    assert taken(acme, json.dumps(envelope)).row["copy_id"] is None


def test_names_of_properties_are_lower_case_and_ids_are_not(acme: World) -> None:
    row = taken(acme, hook(tour={"id": "aBc9"}, profile={**PROFILE, "copy_id_abc9": "copy-7"})).row
    assert (row["template_id"], row["copy_id"]) == ("aBc9", "copy-7")


@pytest.mark.parametrize(
    "data",
    [{"profile": {"properties": {"email": " Ada@Example.com"}}}, {"properties": {"email": "ada@example.com"}},
     {"profile": {"email": "", "properties": []}, "properties": {"email": "ada@example.com"}}],
)  # fmt: skip
def test_the_email_may_sit_among_properties(data: dict[str, Any], acme: World) -> None:
    beside = taken(acme, hook(1, profile=PROFILE), hook(2, tour={"id": TOUR}, **data)).accepted
    assert beside["email_key"].n_unique() == 1
    assert beside["email_key"].null_count() == 0


def test_a_ping_is_a_connection_test_and_no_event(acme: World) -> None:
    found = taken(acme, hook(1, kind="ping"), hook(2))
    assert found.accepted.height == 1
    assert found.reasons == ["connection_test"]


def test_a_retried_hook_is_one_event(acme: World) -> None:
    found = taken(acme, hook(1), hook(1), hook(2))
    assert (found.received, found.accepted.height, found.duplicates) == (3, 2, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"kind": None}, "missing_event_name"), ({"kind": ""}, "missing_event_name"), ({"sent_at": None}, "bad_timestamp"),
     ({"sent_at": "now"}, "bad_timestamp"), ({"sent_at": "2026-01-06T00:00:00Z"}, "outside_day"),
     ({"tour": {"id": "ada@example.com"}}, "personal_data_in_identifier"), ({"tour": "text"}, "bad_body")],
)  # fmt: skip
def test_what_cannot_stand_is_refused_with_its_reason(changes: dict[str, Any], reason: str, acme: World) -> None:
    assert taken(acme, hook(**changes)).reasons == [reason]
