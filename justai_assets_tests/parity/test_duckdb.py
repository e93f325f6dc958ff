from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import DIALECTS, Dialect
from justai_assets.contract.days import Days
from justai_assets_tests.attribution.events import DAY, ESP_FILE, MIDNIGHT, rules
from justai_assets_tests.attribution.oracle import rows_of
from justai_assets_tests.parity.batches import DATASETS, Batch, batches, unified_by_engine
from justai_assets_tests.parity.rendered import by_sql, connected, rendered

BATCHES = 1000 // DATASETS


@pytest.fixture(scope="module")
def utc() -> Iterator[duckdb.DuckDBPyConnection]:
    with connected() as found:
        yield found


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
            found = by_sql(utc, batch, rendered(rule, "duckdb", is_zoned=is_zoned), is_zoned=is_zoned)
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
    found = by_sql(utc, batch, rendered(rule, dialect, is_zoned=is_zoned), is_zoned=is_zoned)
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
    found = by_sql(utc, batch, rendered(rule, dialect, Span(days), is_zoned=is_zoned), is_zoned=is_zoned)
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
    custom = batch.head(0).select("event_name", "event_timestamp", "user_id")
    found = by_sql(utc, (batch, custom), rendered(Rule(), dialect, Span(last=3), is_zoned=is_zoned), is_zoned=is_zoned)
    assert utc_today(utc) == today, "midnight passed during the test; run it again"
    assert sorted(found["event_date"]) == [today - timedelta(days=days) for days in (2, 1, 0)]
