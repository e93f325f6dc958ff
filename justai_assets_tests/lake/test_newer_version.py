"""Tables that a newer version gave another column, after a rollback: read, replaced, and said so."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from deltalake import Field
from deltalake.schema import PrimitiveType
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import TABLES, UNIFIED_EVENTS, Column, Table
from justai_assets.dag.headless import materialize_days
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import declared
from justai_assets.quality.contract_check import contract
from justai_assets.quality.pii import no_pii
from justai_assets.quality.table_log import read_log
from justai_assets.sources.lineage import org_tables
from justai_assets_tests.lake.week import FIRST
from justai_assets_tests.world import TODAY, WEBHOOK_ORG, World, esp

LATER = Column("later_column", pl.String(), "What only the newer version knows.")
NEXT = FIRST + timedelta(days=1)
OLD_AND_NEW = Days(FIRST, NEXT)


def newer(table: Table) -> Table:
    return replace(table, columns=(*table.columns, LATER))


def row(table: Table, day: date) -> pl.DataFrame:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    values: dict[Any, Any] = {
        pl.String: "x", pl.Int64: 1, pl.Int32: 1, pl.Float64: 1.0, pl.Boolean: True, pl.Date: day, pl.Datetime: noon,
    }  # fmt: skip
    return pl.DataFrame({name: [values.get(dtype.base_type())] for name, dtype in table.schema.items()}, table.schema)


def write(lake: Lake, table: Table, days: Days) -> None:
    partition = dict.fromkeys(table.partition_by[1:], "x")
    with lake.replacing("acme", table, days, partition=partition) as writer:
        for day in days:
            writer.write(day, row(table, day))


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_is_read_and_replaced_and_keeps_what_the_newer_version_wrote(table: Table, lake: Lake) -> None:
    write(lake, newer(table), OLD_AND_NEW)
    found = lake.scan("acme", table, OLD_AND_NEW).collect()
    assert found.schema == table.schema
    assert found.height == 2
    write(lake, table, Days(FIRST, FIRST))
    assert lake.scan("acme", table, OLD_AND_NEW).collect().height == 2
    assert lake.columns_of_another_version("acme", table) == ["later_column"]
    # Forward again: the days that the older version built have no value there, the others still have theirs.
    again = lake.scan("acme", newer(table), OLD_AND_NEW).sort(table.day_column).collect()
    assert again["later_column"].to_list() == [None, "x"]


def test_a_column_that_the_org_file_declares_or_declared_is_not_one_of_a_newer_version(world: World) -> None:
    sources = {**WEBHOOK_ORG["sources"], "redshift": {"content": "custom_events", "extra_columns": ["value"]}}
    org = world.add_org(WEBHOOK_ORG, sources=sources)
    for table in (TABLES["custom_events"], TABLES["unified_events"]):
        write(world.lake, declared(org, table), OLD_AND_NEW)
        assert world.lake.columns_of_another_version("acme", table) == []


def test_a_run_warns_once_a_table_of_a_column_that_it_leaves_empty_and_is_not_blocked(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    for table in org_tables(org):
        world.lake.ensure("acme", newer(table))
    world.land("iterable_webhooks", "acme", FIRST, [esp("emailSend", f"{FIRST} 10:00:00")])
    text = io.StringIO()
    console = Console(file=text, width=200, soft_wrap=True)
    names = [table.name for table in org_tables(org)]
    done = materialize_days(org, Days(FIRST, FIRST), names, today=TODAY, console=console)
    assert done, text.getvalue()
    warned = [line for line in text.getvalue().splitlines() if "has columns of another version: later_column" in line]
    # The sends of the three days before are built first, in a run of their own.
    assert [sum(f"acme/{name} " in line for line in warned) for name in names] == [2, *[1] * (len(names) - 1)]


def test_a_column_that_somebody_else_added_blocks_as_before(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.lake.ensure("acme", UNIFIED_EVENTS)
    found = world.lake.open_to_change("acme", UNIFIED_EVENTS)
    assert found is not None
    found.alter.add_columns([Field("email", PrimitiveType("string"))])
    one = Days(FIRST, FIRST)
    verdicts = contract(world.lake, org.slug, UNIFIED_EVENTS, one, read_log(world.lake, org.slug, UNIFIED_EVENTS))
    assert verdicts[0].problems == ("has a column email that the contract does not know",)
    assert no_pii(world.lake, org.slug, UNIFIED_EVENTS, one)[0].problems
