from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlglot import exp, parse_one, transpile

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import CONTENTS, Content, Inputs, checked_columns
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import DIALECTS, Dialect, SqlError
from justai_assets.attribution.sql.rule_query import RULE_SQL, rule_query
from justai_assets.attribution.sql.script import SHAPES, Form, Target, script, statements
from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.landing.drop_place import DropPlace
from justai_assets_tests.attribution.events import MIDNIGHT
from justai_assets_tests.grammar import UNLOAD, parsed, query_of_unload, split, statements_of_python

PLACE = DropPlace("bucket", "redshift/acme")
INPUTS = Inputs("public.iterable", "public.custom_events")
ROLE = "arn:aws:iam::123456789012:role/export"
RULE = Rule(windows={"purchase": 72})
RANGE = Days.parse("2026-01-01", "2026-01-03")
ALL_SHAPES = [(dialect, form) for dialect, forms in SHAPES.items() for form in forms]


@pytest.mark.parametrize(("dialect", "form"), [one for one in ALL_SHAPES if one[1] != "pyspark"])
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("span", [Span(), Span(RANGE), Span(last=3)])
def test_every_printed_statement_is_one_its_dialect_has(
    dialect: Dialect, form: Form, content: Content, span: Span
) -> None:
    if (form, content) == ("share", "custom_events"):
        return
    for is_zoned in (False, True):
        how: dict[str, Any] = {"is_zoned": is_zoned, "content": content}
        text = script("acme", RULE, INPUTS, dialect, form, Target(PLACE, ROLE), span, **how)
        found = split(text)
        made = statements(RULE, INPUTS, dialect, form, Target(PLACE, ROLE), span, **how)
        assert found == [one.strip() for one in made]
        for statement in found:
            parsed(statement, dialect)


@pytest.mark.parametrize("content", CONTENTS)
def test_the_python_form_runs_and_replaces_each_day_by_itself(content: Content) -> None:
    def ran(span: Span) -> list[str]:
        return statements_of_python(
            script("acme", RULE, INPUTS, "databricks", "pyspark", Target(PLACE), span, content=content)
        )

    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    for statement, day in zip(ran(Span(RANGE))[2:], days, strict=True):
        parsed(statement, "databricks")
        assert re.search(r"PARTITION \(event_date = '(.+)'\)", statement)[1] == day
        assert f"CAST('{day}' AS DATE)" in statement
        assert "<day>" not in statement
    assert ran(Span(RANGE)) == statements(
        RULE, INPUTS, "databricks", "export", Target(PLACE), Span(RANGE), content=content
    )
    assert len(ran(Span(last=3))) == 2 + 3
    with pytest.raises(SqlError, match="day by day"):
        ran(Span())


def test_a_range_is_unloaded_day_by_day_into_folders_that_are_emptied_whether_or_not_rows_are_left() -> None:
    found = statements(RULE, INPUTS, "redshift", "export", Target(PLACE, ROLE), Span(RANGE))[1:]
    matches = [UNLOAD.fullmatch(one) for one in found]
    assert [(match["prefix"], match["partitions"], match["options"]) for match in matches if match] == [
        (f"redshift/acme/event_date=2026-01-0{day}/", None, "CLEANPATH") for day in (1, 2, 3)
    ]
    (manifest,) = statements(RULE, INPUTS, "redshift", "manifest", Target(PLACE, ROLE), Span(RANGE))[1:]
    match = UNLOAD.fullmatch(manifest)
    assert match is not None
    assert match["prefix"] == "redshift/acme/", "one in a day's folder would hide what a later run writes there"
    long = Span(Days(date(2026, 1, 1), date(2026, 2, 1)))
    (match,) = [
        UNLOAD.fullmatch(one) for one in statements(RULE, INPUTS, "redshift", "export", Target(PLACE), long)[1:]
    ]
    assert match is not None
    assert match["partitions"] is not None
    assert "became empty keeps" in script("acme", RULE, INPUTS, "redshift", "export", Target(PLACE), long)


def test_an_export_that_needs_classic_compute_says_so_and_the_others_use_no_setting() -> None:
    def text(form: Form, span: Span) -> str:
        return script("acme", RULE, INPUTS, "databricks", form, Target(PLACE), span)

    daily = text("export", Span(last=3))
    assert "on classic compute" in daily
    assert "SET spark.sql.sources.partitionOverwriteMode = dynamic;" in daily
    for other in (text("export", Span(RANGE)), text("pyspark", Span(last=3))):
        assert "partitionOverwriteMode" not in other
        assert not re.search(r"^SET ", other, re.MULTILINE)
    for one in (daily, text("pyspark", Span(last=3))):
        assert "CREATE SCHEMA IF NOT EXISTS main.justai" in one


@pytest.mark.parametrize("is_zoned", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("content", CONTENTS)
def test_the_customers_column_is_bounded_bare(dialect: Dialect, content: Content, is_zoned: bool) -> None:
    (text,) = statements(RULE, INPUTS, dialect, "query", Target(PLACE), Span(RANGE), is_zoned=is_zoned, content=content)
    theirs = [one for one in parse_one(text, read=dialect).find_all(exp.Table) if one.db]
    tables = {one.name: one.find_ancestor(exp.Select) for one in theirs}
    for name in ("custom_events",) if content == "custom_events" else ("custom_events", "iterable"):
        select = tables[name]
        assert select is not None
        for kind in (exp.GTE, exp.LT):
            bounds = [one for one in select.args["where"].find_all(kind) if isinstance(one.this, exp.Column)]
            assert [one.this.name for one in bounds] == ["event_timestamp"]


def test_a_role_may_be_a_chain() -> None:
    for role in (ROLE, f"{ROLE},{ROLE}-2"):
        assert UNLOAD.fullmatch(statements(RULE, INPUTS, "redshift", "export", Target(PLACE, role), Span())[1])
    with pytest.raises(SqlError, match="not a role"):
        statements(RULE, INPUTS, "redshift", "export", Target(PLACE, f"{ROLE}, {ROLE}"), Span())


@pytest.mark.parametrize("is_zoned", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_custom_events_are_the_four_documented_columns_of_their_days(dialect: Dialect, is_zoned: bool) -> None:
    (text,) = statements(
        RULE, Inputs("e", "c", {}, {"user_id_or_email": "mail"}, (), ("purchase",)), dialect, "query", Target(PLACE),
        Span(RANGE), is_zoned=is_zoned, content="custom_events",
    )  # fmt: skip
    midnight = MIDNIGHT.replace(year=2026, month=1, day=1)
    rows = [
        {"event_name": name, "event_timestamp": midnight + timedelta(hours=hours), "mail": who}
        for name, hours, who in (
            ("purchase", 0, "a@b.example"), ("purchase", 0, "a@b.example"), ("purchase", 71.9, None),
            ("purchase", -0.1, "u"), ("purchase", 72, "u"), ("signup", 1, "u"), (None, 1, "u"),
        )
    ]  # fmt: skip
    frame = pl.DataFrame(rows).with_columns(
        pl.col("event_timestamp").cast(pl.Datetime("us", "UTC" if is_zoned else None))
    )
    with duckdb.connect() as connection:
        # Read back from BigQuery, DATE(x, 'UTC') loses its zone.
        connection.execute(f"SET TimeZone = '{'UTC' if dialect == 'bigquery' else 'America/New_York'}'")
        for name in (
            "timestamp_micros(x) AS make_timestamptz(x)",
            "timestamp_seconds(x) AS make_timestamptz(x * 1000000)",
        ):
            connection.execute(f"CREATE MACRO {name}")
        connection.register("c", frame.to_arrow())
        found = connection.sql(transpile(text, read=dialect, write="duckdb")[0]).pl()
    assert sorted(found.columns) == ["event_date", "event_name", "event_timestamp", "user_id_or_email"]
    days = found.select(pl.col("event_date").cast(pl.Date), "user_id_or_email").sort(pl.all()).rows()
    assert days == [(date(2026, 1, 1), "a@b.example")] * 2 + [(date(2026, 1, 3), None)]


def test_the_unload_writes_below_its_own_prefix_and_cleans_it() -> None:
    (_, unload) = statements(RULE, INPUTS, "redshift", "export", Target(PLACE, ROLE), Span(last=3))
    match = UNLOAD.fullmatch(unload)
    assert match is not None
    assert (match["bucket"], match["prefix"], match["role"]) == ("bucket", "redshift/acme/", ROLE)
    assert match["options"] == "CLEANPATH"
    assert match["partitions"] is not None


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
    assert found[0] == "CREATE SCHEMA IF NOT EXISTS main.growth"
    assert found[1].startswith("CREATE OR REPLACE VIEW main.growth.stream_v2 AS\n")
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
    assert checked_columns("custom", {"user_id_or_email": "x"}, "custom_events") == {"user_id_or_email": "x"}
    with pytest.raises(SqlError, match="message_id is not read from custom events"):
        checked_columns("custom", {"message_id": "x"})
    for which, columns in (("custom", {"user_id": "x"}), ("engagement", {"event_name": "x"})):
        with pytest.raises(SqlError, match="name one of event_name, event_timestamp, user_id_or_email"):
            checked_columns(which, columns, "custom_events")
