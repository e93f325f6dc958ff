from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

import duckdb
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlglot import transpile

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.dialects import DIALECTS, Dialect
from justai_assets.attribution.sql.inputs import Inputs
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets.attribution.sql.span import Span
from justai_assets.contract.days import Days
from justai_assets_tests.attribution.events import DAY, ESP_FILE, MIDNIGHT, rules
from justai_assets_tests.attribution.oracle import rows_of
from justai_assets_tests.parity.batches import DATASETS, Batch, batches, contract, timed, unified_by_engine

BATCHES = 1000 // DATASETS

INPUTS = Inputs("esp", "custom")
SPARK_FUNCTIONS = """
CREATE MACRO timestamp_micros(x) AS make_timestamptz(x);
CREATE MACRO timestamp_seconds(x) AS make_timestamptz(x * 1000000);
"""
"""Functions of Databricks that DuckDB has under another name, and that sqlglot leaves as they are."""


@pytest.fixture(scope="module")
def utc() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        found.execute("SET threads = 1")
        found.execute("SET TimeZone = 'UTC'")
        found.execute(SPARK_FUNCTIONS)
        yield found


@cache
def rendered(rule_text: str, dialect: Dialect, is_zoned: bool) -> str:
    """The rule in a dialect, read back by DuckDB."""
    rule = eval(rule_text)  # a Rule holds a dict and cannot be a key itself
    text = rule_query(rule, INPUTS, dialect, is_zoned=is_zoned).sql(dialect=dialect)
    return text if dialect == "duckdb" else transpile(text, read=dialect, write="duckdb")[0]


def by_sql(found: duckdb.DuckDBPyConnection, batch: Batch, text: str, *, is_zoned: bool) -> pl.DataFrame:
    for name, frame in zip(("esp", "custom"), batch, strict=True):
        found.register(name, timed(frame, is_zoned=is_zoned).to_arrow())
    rows = contract(pl.DataFrame(found.sql(text).to_arrow_table()))
    # Databricks' DATE_FROM_UNIX_DATE comes back as a date plus an interval, which is a timestamp to DuckDB.
    assert (rows["event_date"].cast(pl.Datetime) == rows["event_date"].cast(pl.Date).cast(pl.Datetime)).all()
    return rows.with_columns(pl.col("event_date").cast(pl.Date))


def utc_today(found: duckdb.DuckDBPyConnection) -> date:
    ((today,),) = found.sql("SELECT CAST(NOW() AT TIME ZONE 'UTC' AS DATE)").fetchall()
    return today


@pytest.mark.slow
@settings(max_examples=BATCHES, deadline=None, phases=[Phase.generate])
@given(batches, rules, st.sampled_from(["UTC", "America/New_York"]))
def test_duckdb_gives_the_rows_of_the_engine_in_any_session_zone(
    utc: duckdb.DuckDBPyConnection, batch: Batch, rule: Rule, zone: str
) -> None:
    expected = rows_of(unified_by_engine(*batch, rule))
    utc.execute(f"SET TimeZone = '{zone}'")
    try:
        for is_zoned in (False, True):
            found = by_sql(utc, batch, rendered(repr(rule), "duckdb", is_zoned), is_zoned=is_zoned)
            assert rows_of(found) == expected
    finally:
        utc.execute("SET TimeZone = 'UTC'")


@pytest.mark.slow
@pytest.mark.parametrize("is_zoned", [False, True])
@pytest.mark.parametrize("dialect", [one for one in DIALECTS if one != "duckdb"])
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(batch=batches, rule=rules)
def test_every_dialect_read_back_gives_the_rows_of_the_engine(
    utc: duckdb.DuckDBPyConnection, dialect: Dialect, is_zoned: bool, batch: Batch, rule: Rule
) -> None:
    found = by_sql(utc, batch, rendered(repr(rule), dialect, is_zoned), is_zoned=is_zoned)
    assert rows_of(found) == rows_of(unified_by_engine(*batch, rule))


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_zoned", [False, True])
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(batch=batches, rule=rules, first=st.integers(-3, 3), more=st.integers(0, 2))
def test_a_range_of_days_gives_those_days_of_the_whole_and_finds_the_sends_before_them(
    utc: duckdb.DuckDBPyConnection, dialect: Dialect, is_zoned: bool, batch: Batch, rule: Rule, first: int, more: int
) -> None:
    days = Days(DAY + timedelta(days=first), DAY + timedelta(days=first + more))
    text = rule_query(rule, INPUTS, dialect, Span(days), is_zoned=is_zoned).sql(dialect=dialect)
    found = by_sql(utc, batch, transpile(text, read=dialect, write="duckdb")[0], is_zoned=is_zoned)
    whole = unified_by_engine(*batch, rule)
    assert rows_of(found) == rows_of(whole.filter(pl.col("event_date").is_between(days.first, days.last)))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_zoned", [False, True])
def test_the_last_days_end_with_today_in_utc(utc: duckdb.DuckDBPyConnection, dialect: Dialect, is_zoned: bool) -> None:
    today = utc_today(utc)
    moments = [timedelta(days=days) for days in range(-4, 3)]
    events = [
        {"event_name": "emailSend", "event_timestamp": MIDNIGHT + (today - DAY) + moment, "message_id": "m"}
        for moment in moments
    ]
    batch = pl.DataFrame(
        events,
        schema=ESP_FILE,
    )
    text = rule_query(Rule(), INPUTS, dialect, Span(last=3), is_zoned=is_zoned).sql(dialect=dialect)
    custom = batch.head(0).select("event_name", "event_timestamp", "user_id")
    back = transpile(text, read=dialect, write="duckdb")[0]
    found = by_sql(utc, (batch, custom), back, is_zoned=is_zoned)
    assert utc_today(utc) == today, "midnight passed during the test; run it again"
    assert sorted(found["event_date"]) == [today - timedelta(days=days) for days in (2, 1, 0)]
