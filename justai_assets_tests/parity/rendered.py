"""The rule as SQL of every dialect, run by DuckDB: read back where the dialect is another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl
from sqlglot import transpile

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets_tests.parity.batches import Batch, contract, timed

INPUTS = Inputs("esp", "custom")
SPARK_FUNCTIONS = """
CREATE MACRO timestamp_micros(x) AS make_timestamptz(x);
CREATE MACRO timestamp_seconds(x) AS make_timestamptz(x * 1000000);
"""
"""Functions of Databricks that DuckDB has under another name, and that sqlglot leaves as they are."""


@contextmanager
def connected() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        found.execute("SET threads = 1")
        found.execute("SET TimeZone = 'UTC'")
        found.execute(SPARK_FUNCTIONS)
        yield found


def rendered(rule: Rule, dialect: Dialect, span: Span | None = None, *, is_zoned: bool) -> str:
    """The rule in a dialect, read back by DuckDB."""
    text = rule_query(rule, INPUTS, dialect, span, is_zoned=is_zoned).sql(dialect=dialect)
    return text if dialect == "duckdb" else transpile(text, read=dialect, write="duckdb")[0]


def by_sql(found: duckdb.DuckDBPyConnection, batch: Batch, text: str, *, is_zoned: bool) -> pl.DataFrame:
    for name, frame in zip(("esp", "custom"), batch, strict=True):
        found.register(name, timed(frame, is_zoned=is_zoned).to_arrow())
    rows = contract(pl.DataFrame(found.sql(text).to_arrow_table()))
    # Databricks' DATE_FROM_UNIX_DATE comes back as a date plus an interval, which is a timestamp to DuckDB.
    assert (rows["event_date"].cast(pl.Datetime) == rows["event_date"].cast(pl.Date).cast(pl.Datetime)).all()
    return rows.with_columns(pl.col("event_date").cast(pl.Date))
