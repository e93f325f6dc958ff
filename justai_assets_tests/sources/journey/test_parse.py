from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from justai_assets_tests.sources.doors import DAY, Taken, take
from justai_assets_tests.world import WEBHOOK_ORG, World, journey

DOOR = "journey_webhooks"


@pytest.fixture
def acme(world: World) -> World:
    world.add_org(
        WEBHOOK_ORG, sources={**WEBHOOK_ORG["sources"], DOOR: {"events": {"290146": "purchase", "7": "sign up"}}}
    )
    return world


def receipt(number: int = 1, at: str | None = "2026-01-05T11:00:00Z", **body: Any) -> str:
    return json.dumps({"id": f"{number:064x}", "received_at": at, "query": {}, "body": body})


def taken(world: World, *lines: str) -> Taken:
    world.land(DOOR, "acme", DAY, lines)
    return take(world, DOOR)


def test_the_name_comes_from_the_workflow_and_the_time_from_the_receipt(acme: World) -> None:
    row = taken(acme, receipt(email="ada@example.com", workflowId="290146")).row
    assert row["event_name"] == "purchase"
    assert row["event_timestamp"] == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert (row["template_id"], row["copy_id"], row["source_row"]) == (None, None, None)
    assert row["event_id"] == f"{1:064x}"


@pytest.mark.parametrize("workflow", ["290146", 290146, " 290146 "])
def test_a_workflow_id_is_text_or_a_number(workflow: Any, acme: World) -> None:
    assert taken(acme, receipt(email="a@example.com", workflowId=workflow)).row["event_name"] == "purchase"


@pytest.mark.parametrize("workflow", ["", " ", None, ...])
def test_a_receipt_without_a_workflow_is_refused(workflow: Any, acme: World) -> None:
    body = {} if workflow is ... else {"workflowId": workflow}
    assert taken(acme, receipt(email="a@example.com", **body)).reasons == ["missing_workflow"]


def test_a_workflow_that_the_org_does_not_map_is_refused_and_named_so(acme: World) -> None:
    assert taken(acme, receipt(email="a@example.com", workflowId="999")).reasons == ["unmapped_workflow"]


@pytest.mark.parametrize("missing", ["", None, ...])
def test_an_event_about_nobody_is_kept_for_attribution_to_say_why(missing: Any, acme: World) -> None:
    identity = {} if missing is ... else {"email": missing, "userId": missing}
    row = taken(acme, receipt(workflowId="7", **identity)).row
    assert (row["event_name"], row["email_key"], row["user_key"]) == ("sign up", None, None)


@pytest.mark.parametrize("at", [None, "", "soon", "2026-01-05 11:00:00"])
def test_a_receipt_without_a_time_is_refused(at: str | None, acme: World) -> None:
    assert taken(acme, receipt(email="a@example.com", workflowId="7", at=at)).reasons == ["bad_timestamp"]


def test_two_receipts_of_one_body_are_two_events_and_one_receipt_twice_is_one(acme: World) -> None:
    one, other = journey("2026-01-05 11:00:00"), journey("2026-01-05 11:00:01")
    found = taken(acme, one, other, one)
    assert (found.received, found.accepted.height, found.duplicates) == (3, 2, 1)
