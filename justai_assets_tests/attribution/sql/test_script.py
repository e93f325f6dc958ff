from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlglot import transpile

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.dialects import Dialect, SqlError
from justai_assets.attribution.sql.inputs import Inputs, checked_columns
from justai_assets.attribution.sql.rule_query import RULE_SQL, rule_query
from justai_assets.attribution.sql.script import SHAPES, Form, Target, script, statements
from justai_assets.attribution.sql.span import Span
from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.landing.drop_place import DropPlace
from justai_assets_tests.attribution.events import MIDNIGHT
from justai_assets_tests.grammar import UNLOAD, parsed, query_of_unload, split

PLACE = DropPlace("bucket", "redshift/acme")
INPUTS = Inputs("public.iterable", "public.custom_events")
ROLE = "arn:aws:iam::123456789012:role/export"
RULE = Rule(windows={"purchase": 72})
ALL_SHAPES = [(dialect, form) for dialect, forms in SHAPES.items() for form in forms]


@pytest.mark.parametrize(("dialect", "form"), ALL_SHAPES)
@pytest.mark.parametrize("span", [Span(), Span(Days.parse("2026-01-01", "2026-01-03")), Span(last=3)])
def test_every_printed_statement_is_one_its_dialect_has(dialect: Dialect, form: Form, span: Span) -> None:
    for is_zoned in (False, True):
        text = script("acme", RULE, INPUTS, dialect, form, Target(PLACE, ROLE), span, is_zoned=is_zoned)
        found = split(text)
        assert found == [
            one.strip() for one in statements(RULE, INPUTS, dialect, form, Target(PLACE, ROLE), span, is_zoned=is_zoned)
        ]
        for statement in found:
            parsed(statement, dialect)


def test_the_unload_writes_below_its_own_prefix_and_cleans_it() -> None:
    (_, unload) = statements(RULE, INPUTS, "redshift", "export", Target(PLACE, ROLE), Span(last=3))
    match = UNLOAD.fullmatch(unload)
    assert match is not None
    assert (match["bucket"], match["prefix"], match["role"]) == ("bucket", "redshift/acme/", ROLE)
    assert match["options"] == "CLEANPATH"


def test_a_role_that_may_not_delete_overwrites_and_writes_a_verbose_manifest() -> None:
    text = script("acme", RULE, INPUTS, "redshift", "manifest", Target(PLACE, ROLE, "eu-west-1"), Span(last=3))
    match = UNLOAD.fullmatch(split(text)[1])
    assert match is not None
    assert re.sub(r"\s+", " ", match["options"]) == "ALLOWOVERWRITE MANIFEST VERBOSE"
    assert "REGION 'eu-west-1'" in text
    assert "says nothing of older days" in text


def test_the_query_inside_the_unload_runs_and_gives_the_contract_alone() -> None:
    (_, unload) = statements(RULE, INPUTS, "redshift", "export", Target(PLACE, ROLE), Span())
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS public")
        send: dict[str, Any] = {"event_name": "emailSend", "event_timestamp": MIDNIGHT.replace(tzinfo=None),
                                "message_id": "m", "template_id": 501, "campaign_id": 9001, "user_id": 7}  # fmt: skip
        bought = {
            "event_name": "purchase",
            "event_timestamp": send["event_timestamp"] + timedelta(hours=71),
            "user_id": 7,
        }
        connection.register("e", pl.DataFrame([send]).to_arrow())
        connection.register("c", pl.DataFrame([bought, bought]).to_arrow())
        connection.execute("CREATE TABLE public.iterable AS SELECT *, 'jane@example.com' AS email FROM e")
        connection.execute("CREATE TABLE public.custom_events AS SELECT * FROM c")
        found = connection.sql(transpile(query_of_unload(unload), read="redshift", write="duckdb")[0])
        rows = pl.DataFrame(found.to_arrow_table())
    assert set(rows.columns) == set(UNIFIED_EVENTS.schema)
    assert rows.sort("event_name")["template_id"].to_list() == ["501"] * 3


def test_the_view_is_versioned_and_shared_as_a_view() -> None:
    target = Target(PLACE, view="main.growth.stream", version=2)
    found = statements(RULE, INPUTS, "databricks", "share", target, Span())
    assert found[0].startswith("CREATE OR REPLACE VIEW main.growth.stream_v2 AS\n")
    assert "ALTER SHARE just_words_ingest ADD VIEW main.growth.stream_v2" in found
    assert "ADD TABLE" not in "".join(found)


def test_the_text_of_the_rule_is_sql_that_duckdb_reads() -> None:
    assert rule_query(Rule(), INPUTS, "duckdb").sql("duckdb").startswith("WITH engagement_events AS")
    assert "ROW_NUMBER" not in RULE_SQL


def test_renamed_columns_and_chosen_events_are_those_of_the_customer() -> None:
    inputs = Inputs(
        '"Raw"."Events"', "shop.orders", {"event_timestamp": '"createdAt"'}, {"user_id": "profile_id"},
        ("emailSend",), ("purchase",),
    )  # fmt: skip
    text = rule_query(Rule(), inputs, "snowflake").sql("snowflake")
    assert 'FROM "Raw"."Events"' in text
    assert '"createdAt" AS event_timestamp' in text
    assert "CAST(profile_id AS VARCHAR) AS user_id" in text
    assert text.count("event_name IN ('emailSend')") == 1
    assert text.count("event_name IN ('purchase')") == 1


@pytest.mark.parametrize("name", ["a; DROP TABLE b", "(SELECT 1)", "a b", "a JOIN b ON TRUE", "", "f(x)"])
def test_a_table_that_is_no_name_never_becomes_sql(name: str) -> None:
    with pytest.raises(SqlError, match="engagement table"):
        rule_query(Rule(), Inputs(name, "c"), "redshift")
    with pytest.raises(SqlError, match="engagement column user_id"):
        rule_query(Rule(), Inputs("e", "c", {"user_id": name}), "redshift")


@pytest.mark.parametrize("name", ["it's", "a\\b", "a\nb", "a\x00"])
def test_an_event_name_that_dialects_would_read_differently_is_refused(name: str) -> None:
    for rule, inputs in ((Rule(send_events=(name,)), INPUTS), (Rule(windows={name: 1}), INPUTS)):
        with pytest.raises(SqlError, match="event name"):
            rule_query(rule, inputs, "redshift")


@pytest.mark.parametrize(
    ("dialect", "form", "target", "said"),
    [
        ("redshift", "share", Target(PLACE, ROLE), "has no form"),
        ("snowflake", "export", Target(PLACE), "has no form"),
        ("redshift", "export", Target(PLACE, "admin"), "not a role"),
        ("redshift", "export", Target(PLACE, ROLE, "mars"), "not a region"),
        ("databricks", "share", Target(PLACE, view="a; b"), "not a name"),
        ("databricks", "view", Target(PLACE, version=0), "versions count from 1"),
    ],
)
def test_what_cannot_be_printed_is_named(dialect: Dialect, form: Form, target: Target, said: str) -> None:
    with pytest.raises(SqlError, match=said):
        statements(RULE, INPUTS, dialect, form, target, Span())


def test_a_span_is_a_range_or_a_number_of_days() -> None:
    assert Span().is_all
    with pytest.raises(SqlError, match="exclude each other"):
        Span(Days.parse("2026-01-01", "2026-01-01"), 3)
    for last in (0, 367):
        with pytest.raises(SqlError, match="give 1 to 366"):
            Span(last=last)


def test_only_columns_that_the_rule_reads_can_be_renamed() -> None:
    assert checked_columns("custom", {"user_id": "x"}) == {"user_id": "x"}
    with pytest.raises(SqlError, match="message_id is not read from custom events"):
        checked_columns("custom", {"message_id": "x"})
