"""Declared columns of a shared table, through the mirror and its checks."""

from __future__ import annotations

from datetime import date

import dagster as dg
import polars as pl
import pytest

from justai_assets.contract.tables import DELTA_SHARE, QUARANTINE, UNIFIED_EVENTS
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_loader import load_org
from justai_assets_tests.dag.shared_org import ORG, Shared
from justai_assets_tests.sources.delta_share.shared import D1, D2, NAME, all_days, events, write


def declare(shared: Shared, columns: str) -> None:
    file = shared.folder / "acme.yaml"
    text = ORG.format(profile=shared.folder / "acme.share", table=NAME)
    file.write_text(text.replace(f"table: {NAME}", f"table: {NAME}, extra_columns: {columns}"))
    shared.org = load_org(file)


def priced(day: date, **columns: object) -> pl.DataFrame:
    return events(day).with_columns(pl.lit(value).alias(name) for name, value in columns.items())


def materialized(shared: Shared) -> str:
    """Materialize the mirror and the unified stream through Dagster; what the mirror says of its days."""
    job = shared.definitions.resolve_implicit_global_asset_job_def()
    keys = [table_key("acme", DELTA_SHARE), table_key("acme", UNIFIED_EVENTS)]
    result = job.execute_in_process(asset_selection=keys, tags=range_tags(all_days()), instance=shared.instance)
    assert all(one.passed for one in result.get_asset_check_evaluations() if one.check_name in ("contract", "no_pii"))
    made = [event for event in result.all_events if event.is_step_materialization]
    said = [event.step_materialization_data.materialization.metadata.get("remarks") for event in made]
    return " ".join(str(one.value) for one in said if one is not None)


def unified(shared: Shared) -> pl.DataFrame:
    return shared.lake.scan("acme", declared(shared.org, UNIFIED_EVENTS)).collect().sort("event_timestamp")


def test_declared_columns_of_a_share_flow_to_the_unified_stream(shared: Shared) -> None:
    write(shared.source, priced(D2, value=9.5, country="AT", secret="x"), mode="overwrite", schema_mode="merge",
          predicate=f"event_date = '{D2}'")  # fmt: skip
    declare(shared, "[value, country]")
    materialized(shared)
    found = unified(shared)
    assert found.filter(event_date=D2).select("value", "country").unique().rows() == [(9.5, "AT")]
    assert found.filter(event_date=D1).select("value", "country").unique().rows() == [(None, None)], "before the column"
    table = shared.lake.open("acme", UNIFIED_EVENTS)
    assert table is not None
    assert [one.name for one in table.schema().fields] == [*UNIFIED_EVENTS.schema, "value", "country"]


def test_a_row_of_a_share_with_a_bad_declared_value_is_refused_by_name(shared: Shared) -> None:
    bad = priced(D2).with_columns(country=pl.Series(["AT", "jane@example.com", None, "DE", "AT"]), value=pl.lit(-1.0))
    write(shared.source, bad.with_columns(value=pl.when(pl.int_range(5) == 4).then(-1.0)), mode="overwrite",
          schema_mode="merge", predicate=f"event_date = '{D2}'")  # fmt: skip
    declare(shared, "[value, country]")
    said = materialized(shared)
    assert "personal_data_in_identifier: the column country" in said
    assert "negative_value: the column value" in said
    assert "jane" not in said
    assert unified(shared).filter(event_date=D2).height == 3


def test_a_declared_column_of_a_share_that_is_no_number_or_text_breaks_the_contract(shared: Shared) -> None:
    write(shared.source, events(D2).with_columns(tags=pl.Series([["a"]] * 5)), mode="overwrite", schema_mode="merge",
          predicate=f"event_date = '{D2}'")  # fmt: skip
    declare(shared, "[tags]")
    with pytest.raises(dg.Failure, match="tags, declared under extra_columns, is array"):
        materialized(shared)


def test_a_column_declared_later_is_mirrored_when_the_day_is_materialized_again(shared: Shared) -> None:
    write(shared.source, priced(D2, country="AT"), mode="overwrite", schema_mode="merge",
          predicate=f"event_date = '{D2}'")  # fmt: skip
    materialized(shared)
    assert "country" not in unified(shared).columns
    declare(shared, "[country, plan]")
    materialized(shared)
    assert unified(shared).filter(event_date=D2)["country"].unique().to_list() == ["AT"]
    assert unified(shared)["plan"].null_count() == 15


def test_undated_rows_of_a_share_are_refused_beside_declared_columns(shared: Shared) -> None:
    undated = priced(D1, country="AT").with_columns(event_date=pl.lit(None, pl.Date))
    for rows in (pl.concat([priced(D1, country="AT"), undated, priced(D2, country="DE")]), undated):
        write(shared.folder / "loose", rows, by_day=False)
    shared.server.offer(NAME, shared.folder / "loose")
    declare(shared, "[country]")
    shared.mirror()
    found = shared.lake.scan("acme", declared(shared.org, DELTA_SHARE)).collect()
    assert sorted(found.select("event_date", "country").unique().rows()) == [(D1, "AT"), (D2, "DE")]
    quarantined = shared.lake.scan("acme", QUARANTINE).collect()
    assert dict(quarantined.group_by("reason").agg(pl.col("records").sum()).iter_rows()) == {"undated": 10}
