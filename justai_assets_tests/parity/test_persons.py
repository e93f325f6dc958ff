"""Who an id names: the engine and the SQL twin agree on blanks, spaces, placeholders, case and ties."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, transpile

from justai_assets.attribution.file_attribution import attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.dialects import DIALECTS, Dialect
from justai_assets.attribution.sql.persons import bare, names_somebody, trimmed
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets.contract import placeholders
from justai_assets_tests.attribution.events import MIDNIGHT, custom_file, esp_file
from justai_assets_tests.attribution.oracle import rows_of
from justai_assets_tests.parity.batches import Batch, contract, timed, unified_by_engine

WORDS = sorted(placeholders.WORDS)
ODD = [
    *placeholders.EXACT, *placeholders.TAGS, *(f"{name}@x.io" for name in sorted(placeholders.NO_MAILBOX)),
    *(f"{name}@{domain}" for name in sorted(placeholders.MAYBE_MAILBOX) for domain in ("example.com", "gmail.com")),
    *sorted(placeholders.OWN_DOMAIN), "0", "00-00", "0x0", "{{ user.id }}", "${id}", "a@b@c", "@", "test@@test", "u@",
]  # fmt: skip
around = st.text(st.sampled_from([*placeholders.SPACES, *placeholders.MARKS, "0", "a"]), max_size=3)
texts = st.one_of(
    st.none(),
    st.sampled_from(["a", "A", "b", "", " ", "é", "İ", "ß", "ann@ex.test", *ODD]),
    st.builds(
        lambda before, word, after, is_upper: before + (word.upper() if is_upper else word) + after,
        around, st.sampled_from(["", "a", *WORDS, *ODD]), around, st.booleans(),
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as found:
        found.execute("SET threads = 1; SET TimeZone = 'UTC'")
        yield found


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=25)
@given(st.lists(texts, min_size=1, max_size=40))
def test_sql_in_every_dialect_takes_the_same_ids_for_persons(
    connection: duckdb.DuckDBPyConnection, dialect: Dialect, some: list[str | None]
) -> None:
    connection.register("ids", pl.DataFrame({"n": range(len(some)), "id": pl.Series(some, dtype=pl.String)}).to_arrow())
    inner = exp.select("n", trimmed(exp.column("id")).as_("id")).from_("ids").subquery("t")
    columns = [names_somebody(exp.column("id"), exp.Lower(this=exp.column("id")), bare(exp.column("id"))), "id"]
    text = exp.select(*columns).from_(inner).order_by("n").sql(dialect=dialect)
    found = connection.sql(transpile(text, read=dialect, write="duckdb")[0]).fetchall()
    ours = pl.DataFrame({"id": some}, schema={"id": pl.String}).select(placeholders.trimmed(pl.col("id")))
    is_somebody = ~placeholders.is_placeholder(pl.col("id")).fill_null(value=True)
    assert found == ours.select(is_somebody.alias("is_somebody"), "id").rows()


events = st.lists(
    st.tuples(texts, st.sampled_from(range(-3, 3)), st.sampled_from(["a", "b", "B", "é", None])), max_size=12
)


def batch_of(sends: list[Any], purchases: list[Any]) -> Batch:
    sent = [
        {"event_name": "emailSend", "event_timestamp": MIDNIGHT + timedelta(hours=hour), "user_id": user,
         "message_id": message, "template_id": message, "campaign_id": None}
        for user, hour, message in sends
    ]  # fmt: skip
    bought = [
        {"event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=hour), "user_id": user}
        for user, hour, _ in purchases
    ]
    return esp_file(sent), custom_file(bought)


@settings(deadline=None, max_examples=40)
@given(events, events)
def test_duckdb_gives_the_rows_of_the_engine_whatever_stands_as_user_id(
    connection: duckdb.DuckDBPyConnection, sends: list[Any], purchases: list[Any]
) -> None:
    # The purchases of somebody else's sends, and those of the very same text.
    batch = batch_of(sends, purchases + sends)
    for name, frame in zip(("esp", "custom"), batch, strict=True):
        connection.register(name, timed(frame, is_zoned=False).to_arrow())
    text = rule_query(Rule(), Inputs("esp", "custom"), "duckdb").sql(dialect="duckdb")
    found = contract(pl.DataFrame(connection.sql(text).to_arrow_table()))
    assert rows_of(found) == rows_of(unified_by_engine(*batch, Rule()))


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ"])
def test_a_time_that_no_date_can_hold_is_no_event(
    connection: duckdb.DuckDBPyConnection, kind: str, tmp_path: Path
) -> None:
    times = ["2026-01-05 09:00:00", "infinity", "-infinity", "12026-01-01 00:00:00", "0044-03-15 (BC) 00:00:00",
             "9999-12-31 23:59:59", "0001-01-01 00:00:00", None]  # fmt: skip
    rows = ", ".join(f"({number}, {'NULL' if at is None else repr(at)})" for number, at in enumerate(times))
    values = f"(VALUES {rows}) t(number, moment)"
    connection.execute(
        f"CREATE OR REPLACE TABLE sent AS SELECT 'emailSend' AS event_name, moment::{kind} AS event_timestamp, "
        f"'m' || number AS message_id, '501' AS template_id, '9001' AS campaign_id, 'u' || number AS user_id "
        f"FROM {values}; CREATE OR REPLACE TABLE bought AS SELECT 'purchase' AS event_name, moment::{kind} AS "
        f"event_timestamp, 'u' || number AS user_id FROM {values}"
    )
    for name in ("sent", "bought"):
        connection.execute(f"COPY {name} TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
    text = rule_query(Rule(), Inputs("sent", "bought"), "duckdb", is_zoned=kind == "TIMESTAMPTZ").sql(dialect="duckdb")
    found = contract(pl.DataFrame(connection.sql(text).to_arrow_table()))
    summary = attribute_files(f"{tmp_path}/sent.parquet", f"{tmp_path}/bought.parquet", tmp_path / "out", Rule())
    written = pl.concat([pl.read_parquet(path) for path in (tmp_path / "out").rglob("*.parquet")])
    assert rows_of(found) == rows_of(written)
    assert summary.incomplete == 2 * (len(times) - 3)
