"""The rule as one query: the same attribution and unified stream as the engine, for any warehouse.

One text in DuckDB's dialect, parsed by sqlglot and rendered for each warehouse. Not dbt macros: those need a dbt
project and an adapter on the customer's side before a line can be seen, and can be tested only where the warehouse is;
this text is one DuckDB executes, and each rendering can be parsed, translated back and executed in a test. Not a tree
built in Python: the text can be read beside `rule.Rule`. What dialects disagree on about time is in `dialects.Clock`.

The shape is linear. For every person sends and custom events are put on one time line, where a send precedes the events
of its own microsecond and equal send times are in the order of the rule's tie-break (null first). Counting sends along
it gives each event the number of its latest prior send; the group of that number holds exactly one send, whose columns
the group's events take. The documented range join compares every event with every send of its window instead, and
needs a row number of its own to keep two identical purchases apart; here every row stays itself.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp, parse_one

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.day_span import Span, in_calendar, within
from justai_assets.attribution.sql.dialects import (
    Clock,
    Dialect,
    among,
    bounded_text,
    clock,
    is_zoned_by_default,
    spoken,
    text_literal,
)
from justai_assets.attribution.sql.persons import bare, names_somebody, trimmed

RULE_SQL: Final = """
WITH engagement_events AS (
    SELECT
        CAST(engagement.event_name AS TEXT) AS event_name,
        AT_UTC(engagement.event_timestamp) AS event_timestamp,
        CAST(engagement.message_id AS TEXT) AS message_id,
        CAST(engagement.template_id AS TEXT) AS template_id,
        CAST(engagement.campaign_id AS TEXT) AS campaign_id,
        CAST(engagement.user_id AS TEXT) AS user_id
    FROM engagement
    WHERE engagement.event_name IS NOT NULL AND engagement.event_timestamp IS NOT NULL
),
custom_events AS (
    SELECT
        CAST(custom.event_name AS TEXT) AS event_name,
        AT_UTC(custom.event_timestamp) AS event_timestamp,
        CAST(custom.user_id AS TEXT) AS user_id
    FROM custom
    WHERE custom.event_name IS NOT NULL AND custom.event_timestamp IS NOT NULL
),
time_line AS (
    SELECT TRIMMED(user_id) AS user_id, event_name, event_timestamp, message_id, template_id, campaign_id,
           0 AS is_event
    FROM engagement_events
    WHERE IS_SEND(event_name)
    UNION ALL
    SELECT TRIMMED(user_id) AS user_id, event_name, event_timestamp, CAST(NULL AS TEXT) AS message_id,
           CAST(NULL AS TEXT) AS template_id, CAST(NULL AS TEXT) AS campaign_id, 1 AS is_event
    FROM custom_events
),
spelled AS (
    SELECT user_id, event_name, event_timestamp, message_id, template_id, campaign_id, is_event,
           LOWER(user_id) AS lower_id, BARE(user_id) AS bare_id
    FROM time_line
),
known AS (
    SELECT user_id, event_name, event_timestamp, message_id, template_id, campaign_id, is_event
    FROM spelled
    WHERE NAMES_SOMEBODY(user_id, lower_id, bare_id)
),
numbered AS (
    SELECT
        user_id, event_name, event_timestamp, message_id, template_id, campaign_id, is_event,
        SUM(1 - is_event) OVER (
            PARTITION BY user_id
            ORDER BY event_timestamp ASC NULLS FIRST, {order}
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS send_number
    FROM known
),
with_send AS (
    SELECT
        event_name, event_timestamp, is_event,
        MAX(CASE WHEN is_event = 0 THEN event_timestamp END) OVER (PARTITION BY user_id, send_number) AS send_timestamp,
        MAX(CASE WHEN is_event = 0 THEN message_id END) OVER (PARTITION BY user_id, send_number) AS send_message_id,
        MAX(CASE WHEN is_event = 0 THEN template_id END) OVER (PARTITION BY user_id, send_number) AS send_template_id,
        MAX(CASE WHEN is_event = 0 THEN campaign_id END) OVER (PARTITION BY user_id, send_number) AS send_campaign_id
    FROM numbered
),
attributed_events AS (
    SELECT event_name, event_timestamp, send_message_id AS message_id, send_template_id AS template_id,
           send_campaign_id AS campaign_id
    FROM with_send
    WHERE is_event = 1 AND send_timestamp {after} WINDOW_START(event_timestamp)
),
unified_events AS (
    SELECT event_name, event_timestamp, message_id, template_id, campaign_id
    FROM engagement_events
    WHERE IS_PASSED_THROUGH(event_name, event_timestamp)
    UNION ALL
    SELECT event_name, event_timestamp, message_id, template_id, campaign_id
    FROM attributed_events
)
SELECT event_name, event_timestamp, message_id, template_id, campaign_id, UTC_DAY(event_timestamp) AS event_date
FROM unified_events
"""
"""event_date stands last, because INSERT … PARTITION (event_date) takes the last column; readers go by name."""


def rule_query(
    rule: Rule, inputs: Inputs, dialect: Dialect, span: Span | None = None, *, is_zoned: bool | None = None
) -> exp.Expression:
    """The unified stream of two tables as a query; `.sql(dialect)` renders it.

    Args:
        rule: windows and send events.
        inputs: tables and columns.
        dialect: what it will be rendered for.
        span: the days; sends of the widest window before them are read too. None: all.
        is_zoned: whether event_timestamp holds instants; None: what the dialect's plain TIMESTAMP is. Naive times are
            UTC by contract.

    The result has the six columns of the contract and no other. Rows without a name or a time, or with a time that no
    date can hold, are left out. User ids are compared without spaces around them. One that is null, blank or a
    placeholder (`contract.placeholders`) matches nothing. All is as in `file_attribution.attribute_files`.

    Raises:
        SqlError: a table, column or event name that is none.
    """
    days = span or Span()
    time = clock(dialect, is_zoned=is_zoned_by_default(dialect) if is_zoned is None else is_zoned)
    tree = parse_one(_text_of(rule), read="duckdb")
    assert isinstance(tree, exp.Expression)
    _name_inputs(tree, inputs, dialect)
    # The days are bounded where the customer's table is read, so that the warehouse can skip what lies outside.
    widest = max((rule.window_hours, *rule.windows.values()))
    _bound(tree, "engagement_events", inputs, dialect, time, days, earlier=widest)
    _bound(tree, "custom_events", inputs, dialect, time, days, earlier=0)
    for call in list(tree.find_all(exp.Anonymous)):
        match call.name, call.expressions:
            case "AT_UTC", [moment]:
                call.replace(spoken(time.utc, dialect, x=moment))
            case "UTC_DAY", [moment]:
                call.replace(spoken(time.day, dialect, x=moment))
            case "TRIMMED", [text]:
                call.replace(trimmed(text))
            case "BARE", [text]:
                call.replace(bare(text))
            case "NAMES_SOMEBODY", [identifier, lowered, bare_id]:
                call.replace(names_somebody(identifier, lowered, bare_id))
            case "IS_SEND", [name]:
                call.replace(among(name, rule.send_events))
            case "WINDOW_START", [moment]:
                call.replace(_window_start(rule, moment, time, dialect))
            case "IS_PASSED_THROUGH", [name, moment]:
                call.replace(_passed_through(inputs, name, moment, time, dialect, days))
    if dialect == "redshift":
        bounded_text(tree)
    return tree


def _text_of(rule: Rule) -> str:
    """The query with the rule's bounds and tie-break. On the time line the last send before an event wins."""
    order = ["is_event ASC NULLS FIRST" if rule.bounds.has_end else "is_event DESC NULLS LAST"]
    for key in rule.tie_break:
        if key.is_descending:
            # BigQuery has no DESC NULLS FIRST in a window: null is put first by a key of its own.
            order += [
                f"CASE WHEN {key.column} IS NULL THEN 0 ELSE 1 END ASC NULLS FIRST",
                f"{key.column} DESC NULLS LAST",
            ]
        else:
            order.append(f"{key.column} ASC NULLS FIRST")
    return RULE_SQL.format(order=", ".join(order), after=">=" if rule.bounds.has_start else ">")


def _name_inputs(tree: exp.Expression, inputs: Inputs, dialect: Dialect) -> None:
    for which in ("engagement", "custom"):
        for column in list(tree.find_all(exp.Column)):
            if column.table == which:
                column.replace(inputs.column(which, column.name, dialect))
        for table in list(tree.find_all(exp.Table)):
            if table.name == which and not table.db:
                table.replace(inputs.table(which, dialect))


def _cte(tree: exp.Expression, name: str) -> exp.Select:
    found = next(cte.this for cte in tree.find_all(exp.CTE) if cte.alias == name)
    assert isinstance(found, exp.Select)
    return found


def _bound(
    tree: exp.Expression, name: str, inputs: Inputs, dialect: Dialect, time: Clock, span: Span, *, earlier: int
) -> None:
    which = name.removesuffix("_events")
    select = _cte(tree, name)
    conditions = [select.args["where"].this]
    if which == "custom" and inputs.custom_events:
        conditions.append(among(inputs.column(which, "event_name", dialect), inputs.custom_events))
    moment = inputs.column(which, "event_timestamp", dialect)
    if span.is_all:
        conditions.append(in_calendar(moment, time, dialect))
    conditions += within(moment, time, dialect, span, earlier=earlier)
    select.set("where", exp.Where(this=exp.and_(*conditions, wrap=False)))


def _window_start(rule: Rule, moment: exp.Expression, time: Clock, dialect: Dialect) -> exp.Expression:
    default = spoken(time.before, dialect, x=moment, hours=rule.window_hours)
    if not rule.windows:
        return default
    cases = exp.Case()
    for name, hours in sorted(rule.windows.items()):
        condition = exp.EQ(this=exp.column("event_name"), expression=text_literal(name, "event name"))
        cases = cases.when(condition, spoken(time.before, dialect, x=moment, hours=hours), copy=False)
    whole: exp.Expression = cases.else_(default, copy=False)
    return whole


def _passed_through(
    inputs: Inputs, name: exp.Expression, moment: exp.Expression, time: Clock, dialect: Dialect, span: Span
) -> exp.Expression:
    conditions: list[exp.Expression] = []
    if inputs.engagement_events:
        conditions.append(among(name, inputs.engagement_events))
    if not span.is_all:
        conditions.append(exp.GTE(this=moment.copy(), expression=span.begin(time, dialect)))
    whole = exp.and_(*conditions) if conditions else exp.true()
    assert isinstance(whole, exp.Expression)
    return whole
