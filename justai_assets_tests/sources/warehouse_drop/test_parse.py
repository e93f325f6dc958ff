from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from justai_assets_tests.sources.doors import DAY, Taken, take
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
CUSTOM = {"event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String}
UNIFIED = {**dict.fromkeys(("event_name", "message_id", "template_id", "campaign_id"), pl.String),
           "event_timestamp": pl.Datetime("us", "UTC")}  # fmt: skip


def custom(world: World, *rows: tuple[Any, ...], door: str = "redshift") -> Taken:
    sources = {**WEBHOOK_ORG["sources"], door: {"content": "custom_events"}}
    world.add_org(WEBHOOK_ORG, sources=sources, custom=["journey_webhooks", door])
    world.drop(door, "acme", DAY, pl.DataFrame(rows, schema=CUSTOM, orient="row"))
    return take(world, door)


def unified(world: World, *rows: dict[str, Any], door: str = "databricks") -> Taken:
    world.add_org(UNIFIED_ORG, slug="acme", engagement=door, sources={door: {"content": "unified_events"}})
    world.drop(door, "acme", DAY, pl.DataFrame(rows, schema=UNIFIED))
    return take(world, door)


@pytest.mark.parametrize("door", ["redshift", "databricks"])
def test_an_address_is_an_email_and_a_user_id_and_anything_else_a_user_id(door: str, world: World) -> None:
    found = custom(
        world, (AT, "purchase", "ada@example.com"), (AT, "purchase", "ada-9"), (AT, "purchase", " "), door=door
    )
    keys = found.accepted.select(pl.col("email_key", "user_key").is_not_null()).rows()
    assert keys == [(True, True), (False, True), (False, False)]
    assert found.accepted["source_row"].to_list() == [0, 1, 2]
    assert found.accepted["event_id"].null_count() == 3


def test_two_identical_rows_are_two_events(world: World) -> None:
    found = custom(world, *[(AT, "purchase", "ada@example.com")] * 3)
    assert (found.received, found.accepted.height, found.duplicates) == (3, 3, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, "purchase", "u"), "bad_timestamp"),
        ((AT - timedelta(days=1), "purchase", "u"), "outside_day"),
        ((AT.replace(year=9999), "purchase", "u"), "outside_day"),
        ((AT, None, "u"), "missing_event_name"),
        ((AT, "  ", "u"), "missing_event_name"),
        ((AT, "ada@example.com bought", "u"), "personal_data_in_identifier"),
        ((AT, "customer-4711", "customer-4711"), "personal_data_in_identifier"),
        ((AT, "x" * 257, "u"), "identifier_too_long"),
    ],
)
def test_a_row_that_cannot_stand_is_refused_with_its_place(row: tuple[Any, ...], reason: str, world: World) -> None:
    found = custom(world, (AT, "purchase", "u"), row)
    assert found.accepted.height == 1
    assert found.rejected.select("reason", "source_row", "records").rows() == [(reason, 1, 1)]
    assert found.rejected["source_file"][0] == "redshift/acme/event_date=2026-01-05/0000_part_00.parquet"


def test_a_unified_row_passes_through_as_it_is(world: World) -> None:
    row = {
        "event_name": "emailOpen",
        "event_timestamp": AT,
        "message_id": "AbC",
        "template_id": "501",
        "campaign_id": None,
    }
    found = unified(world, row, row | {"event_name": "emailUnSubscribe"}, row)
    assert found.accepted["event_name"].to_list() == ["emailOpen", "emailUnsubscribe", "emailOpen"]
    assert found.accepted.row(0, named=True) == {**row, "event_date": DAY}


@pytest.mark.parametrize("column", ["event_name", "message_id", "template_id", "campaign_id"])
def test_an_email_in_any_published_column_of_a_unified_row_is_refused(column: str, world: World) -> None:
    row = {"event_name": "emailOpen", "event_timestamp": AT, column: "c1:t2:ada@example.com"}
    assert unified(world, row).reasons == ["personal_data_in_identifier"]


@pytest.mark.parametrize("identifier", ["", "  ", None])
def test_a_blank_id_of_a_unified_row_is_null(identifier: str | None, world: World) -> None:
    row = {"event_name": "purchase", "event_timestamp": AT, "message_id": identifier, "template_id": identifier}
    assert unified(world, row).row["message_id"] is None
