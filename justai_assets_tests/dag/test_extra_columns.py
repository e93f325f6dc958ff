"""Declared columns, from landed files through the assets and their checks; undeclared ones never."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    CUSTOM_EVENTS,
    MESSAGE_OUTCOMES,
    UNIFIED_EVENTS,
)
from justai_assets_tests.dag.extra_columns import (
    DAY,
    custom_org,
    fields,
    held,
    purchases,
    refused,
    remarks,
    unified_org,
    unified_rows,
)
from justai_assets_tests.world import World, esp


def test_declared_columns_of_a_unified_export_flow_and_others_do_not(any_world: World) -> None:
    world = any_world
    unified_org(world, ["revenue", "country"])
    rows = unified_rows(revenue=[None, 12.5, None, 0.0], Country=["AT", " ", None, "DE"], secret=["x"] * 4)
    world.drop("databricks", "globex", DAY, rows)
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    found = held(world, UNIFIED_EVENTS, "globex").sort("event_timestamp")
    assert found["revenue"].to_list() == [None, 12.5, None, 0.0]
    assert found["country"].to_list() == ["AT", None, None, "DE"]
    assert fields(world, UNIFIED_EVENTS, "globex") == [*UNIFIED_EVENTS.schema, "revenue", "country"]


def test_a_column_that_nobody_declared_is_named_and_not_read(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows(revenue=[1.0] * 4))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "columns beyond the contract, not read: revenue" in said
    assert fields(world, UNIFIED_EVENTS, "globex") == list(UNIFIED_EVENTS.schema)


def test_a_column_declared_later_is_added_and_older_days_are_null(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    unified_org(world, ["country"])
    later = unified_rows(country=["DE"] * 4).with_columns(pl.col("event_timestamp") + timedelta(days=1))
    world.drop("databricks", "globex", DAY + timedelta(1), later)
    assert world.materialize("2026-01-06", "2026-01-06", org="globex")
    found = dict(
        held(world, UNIFIED_EVENTS, "globex").group_by("event_date").agg(pl.col("country").unique()).iter_rows()
    )
    assert found == {DAY: [None], DAY + timedelta(1): ["DE"]}
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    assert held(world, UNIFIED_EVENTS, "globex")["country"].unique().sort().to_list() == ["AT", "DE"]


def test_a_column_declared_no_more_must_be_built_out_of_the_days_that_hold_it(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    unified_org(world)
    from justai_assets.quality.pii import no_pii

    (before,) = no_pii(world.lake, "globex", UNIFIED_EVENTS, Days(DAY, DAY))
    assert "declared no more, but not empty, so build these days again: country" in before.problems
    assert world.materialize("2026-01-05", "2026-01-05", org="globex"), "the checks pass when the column is empty"
    (after,) = no_pii(world.lake, "globex", UNIFIED_EVENTS, Days(DAY, DAY))
    assert after.problems == ()


def test_a_column_that_no_org_file_ever_declared_fails_the_checks(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows())
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    table = world.lake.open("globex", UNIFIED_EVENTS)
    assert table is not None
    from deltalake import Field
    from deltalake.schema import PrimitiveType

    table.alter.add_columns([Field("phone", PrimitiveType("string"))])
    assert not world.materialize("2026-01-05", "2026-01-05", org="globex")


def test_a_file_that_lacks_a_declared_column_is_read_and_the_day_says_so(world: World) -> None:
    unified_org(world, ["country", "plan"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "declared columns that files lack, null in their rows: plan" in said


def test_a_declared_column_of_no_readable_type_refuses_the_file_and_is_named(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=[["AT"]] * 4))
    _, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert "wrong_type: the column country" in said
    assert refused(world, "globex") == {"wrong_type": 4}


def test_personal_data_in_a_declared_column_is_refused_naming_the_column_and_never_the_value(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT", "jane.roe@example.com", None, "DE"]))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "personal_data_in_identifier: the column country" in said
    assert "jane" not in said
    assert refused(world, "globex") == {"personal_data_in_identifier": 1}
    assert held(world, UNIFIED_EVENTS, "globex").height == 3


def test_a_user_id_of_the_same_row_in_a_declared_column_is_refused(world: World) -> None:
    custom_org(world, ["note"])
    world.drop("redshift", "acme", DAY, purchases(["jane-roe-17", "p-2"], note=["by Jane-Roe-17", "gift"]))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name)
    assert refused(world, "acme") == {"personal_data_in_identifier": 1}
    assert held(world, CUSTOM_EVENTS)["note"].to_list() == ["gift"]


BAD = [math.nan, math.inf, -math.inf, 1e13, -0.5]


def test_every_bad_amount_is_refused_with_a_reason_counted_and_conserved(world: World) -> None:
    custom_org(world, ["value"])
    people = [f"p{at}" for at in range(len(BAD) + 3)]
    world.drop("redshift", "acme", DAY, purchases(people, value=[*BAD, 0.0, 19.99, None]))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name), "conservation and contract pass"
    assert refused(world, "acme") == {"bad_number": 4, "negative_value": 1}
    assert held(world, CUSTOM_EVENTS)["value"].sort().to_list() == [None, 0.0, 19.99]
    assert "the column value" in remarks(world, "acme", CUSTOM_EVENTS)[1]


def test_amounts_as_text_are_read_where_they_are_plain_numbers(world: World) -> None:
    custom_org(world, ["value"])
    texts = ["19.99", " 7 ", "1e2", "", None, "1,234.50", "€ 5", "NaN", "-3"]
    world.drop("redshift", "acme", DAY, purchases([f"p{at}" for at in range(len(texts))], value=texts))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name)
    assert held(world, CUSTOM_EVENTS)["value"].sort().to_list() == [None, None, 7.0, 19.99, 100.0]
    assert refused(world, "acme") == {"bad_number": 3, "negative_value": 1}


def test_declared_columns_of_custom_events_reach_the_unified_stream_with_their_message(any_world: World) -> None:
    world = any_world
    custom_org(world, ["value", "country"])
    world.land("iterable_webhooks", "acme", DAY, [
        esp("emailSend", "2026-01-05 08:00:00", messageId="a" * 32, templateId=501, campaignId=9001)
    ])  # fmt: skip
    world.drop(
        "redshift",
        "acme",
        DAY,
        purchases(["jane@example.com", "x@example.com"], value=[30.0, 5.0], country=["AT", "DE"]),
    )
    assert world.materialize("2026-01-05", "2026-01-05")
    attributed = held(world, ATTRIBUTED_EVENTS).sort("value")
    assert attributed.select("value", "country", "is_attributed").rows() == [(5.0, "DE", False), (30.0, "AT", True)]
    unified = held(world, UNIFIED_EVENTS).sort("event_timestamp")
    assert unified.select("event_name", "message_id", "value", "country").rows() == [
        ("emailSend", "a" * 32, None, None), ("purchase", "a" * 32, 30.0, "AT"),
    ]  # fmt: skip
    assert world.table(MESSAGE_OUTCOMES)["values"].to_list() == [[{"event_name": "purchase", "value": 30.0}]]
