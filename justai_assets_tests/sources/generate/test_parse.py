"""Send records of Generate: the message and the copy, and nobody in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from justai_assets.contract.tables import SERVED_COPIES
from justai_assets.sources.generate.parse import message_of
from justai_assets_tests.sources.doors import DAY, Taken, take
from justai_assets_tests.world import WEBHOOK_ORG, World

MESSAGE = "0f" * 16
COPY = "3f0c1c52-6a0e-4b5e-9a38-0d6f8e0b7a11"
NOON = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def acme(world: World) -> World:
    world.add_org(WEBHOOK_ORG)
    return world


def record(query: dict[str, str] | None = None, **changes: Any) -> str:
    body = {
        "event_timestamp": NOON,
        "user_id": "ada@example.com",
        "campaign_id": 9001,
        "action_id": "7",
        "journey_id": "8",
        "copy_id": COPY,
        "template_id": "welcome-email",
        "tracking_id": MESSAGE,
        "vars": {"subject": "Hello Ada"},
        "attrs": {"city": "london"},
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not ...}
    return json.dumps({"received_at": "2026-01-05T12:00:01Z", "query": query or {}, "body": body})


def taken(world: World, *lines: str) -> Taken:
    world.land("generate", "acme", DAY, lines)
    return take(world, "generate", table=SERVED_COPIES)


def test_a_record_ties_a_message_to_a_copy_and_keeps_nothing_of_the_person(acme: World) -> None:
    row = taken(acme, record()).row
    assert row.pop("event_id")
    assert row == {
        "event_timestamp": datetime(2026, 1, 5, 12, tzinfo=UTC),
        "event_date": DAY,
        "message_id": MESSAGE,
        "copy_id": COPY,
    }


@pytest.mark.parametrize("number", [NOON, NOON + 0.25, str(NOON), NOON * 1000, NOON * 1_000_000])
def test_the_time_is_a_unix_number_in_whatever_unit(acme: World, number: Any) -> None:
    assert taken(acme, record(event_timestamp=number)).row["event_timestamp"].replace(microsecond=0) == datetime(
        2026, 1, 5, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (record(tracking_id=...), "missing_tracking_id"),
        (record(tracking_id=" "), "missing_tracking_id"),
        (record(tracking_id="©_id=3f0c"), "missing_tracking_id"),
        (record(copy_id=None), "missing_copy_id"),
        (record(event_timestamp="yesterday"), "bad_timestamp"),
        (record(event_timestamp=...), "bad_timestamp"),
        (record(event_timestamp=1e300), "bad_timestamp"),
        (record(event_timestamp=NOON - 86_400), "outside_day"),
        (record(tracking_id="ada@example.com"), "personal_data_in_identifier"),
        (record(copy_id="c" * 300), "identifier_too_long"),
        (json.dumps({"event_timestamp": NOON, "tracking_id": MESSAGE, "copy_id": COPY}), "bad_envelope"),
        (record()[:-9], "not_json"),
    ],
)
def test_a_broken_line_has_its_name_and_takes_no_other_with_it(acme: World, line: str, reason: str) -> None:
    found = taken(acme, record(), line)
    assert found.reasons == [reason]
    assert found.row["message_id"] == MESSAGE


@pytest.mark.parametrize(
    "glued", [f"©_id={COPY}", f"&copy_id={COPY}", "%C2%A9_id=", "%26copy_id%3Dx", "&amp;copy_id=x&user_id=1", " © _id="]
)
def test_a_copy_glued_to_the_tracking_id_is_cut_off_and_is_not_the_copy_served(acme: World, glued: str) -> None:
    if glued == " © _id=":
        assert message_frame(glued) == [MESSAGE + glued], "no URL is mangled like that: nothing is guessed"
        return
    row = taken(acme, record(tracking_id=MESSAGE + glued)).row
    assert (row["message_id"], row["copy_id"]) == (MESSAGE, COPY)


def message_frame(glued: str) -> list[str]:
    return pl.select(message_of(pl.lit(MESSAGE + glued))).to_series().to_list()


def test_an_id_that_only_looks_glued_stays_whole() -> None:
    ids = ["order_id=5", "copy-7", "a&b", "plain"]
    assert pl.DataFrame({"t": ids}).select(message_of(pl.col("t"))).to_series().to_list() == ids


def test_the_tracking_id_of_the_query_stands_in_for_that_of_the_body(acme: World) -> None:
    found = taken(acme, record({"tracking_id": MESSAGE}, tracking_id=""))
    assert found.row["message_id"] == MESSAGE


def test_the_same_call_landed_twice_is_one(acme: World) -> None:
    assert taken(acme, record(), record()).duplicates == 1
