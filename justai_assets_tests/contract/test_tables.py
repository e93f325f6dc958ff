from __future__ import annotations

import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.tables import TABLES, UNIFIED_EVENTS, Table
from justai_assets.lake.delta_schema import delta_schema


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_table_is_typed_as_delta_stores_it_and_every_column_says_what_it_means(table: Table, tmp_path) -> None:
    made = DeltaTable.create(str(tmp_path / "t"), delta_schema(table), partition_by=list(table.partition_by))
    read = pl.scan_delta(made).collect_schema()
    assert dict(read) == dict(table.schema)
    assert table.doc.endswith(".")
    for column, field in zip(table.columns, made.schema().fields, strict=True):
        assert len(column.doc.split()) > 1, column.name
        assert field.metadata["comment"] == column.doc


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_table_is_partitioned_by_its_day_first(table: Table) -> None:
    assert table.day_column == table.partition_by[0]
    assert table.day_column in {"event_date", "send_date"}
    assert set(table.partition_by) <= set(table.schema)
    assert len(table.schema) == len(table.columns), "a column stands twice"


def test_the_contract_is_the_six_documented_columns_and_no_other() -> None:
    assert dict(UNIFIED_EVENTS.schema) == {
        "event_name": pl.String,
        "event_timestamp": pl.Datetime("us", "UTC"),
        "event_date": pl.Date,
        "message_id": pl.String,
        "template_id": pl.String,
        "campaign_id": pl.String,
    }
    assert UNIFIED_EVENTS.required == ("event_name", "event_timestamp", "event_date")
    assert not UNIFIED_EVENTS.personal


def test_a_table_of_single_people_or_messages_is_marked_as_personal() -> None:
    single = {"user_key", "email_key", "person", "copy_id"}
    for table in TABLES.values():
        about_one = "message_id" in table.schema and bool(single & set(table.schema))
        assert table.personal == (about_one or bool({"user_key", "email_key"} & set(table.schema))), table.name
