"""Custom events as they are, for an org whose drop brings them alone: JustAI joins them with its sends."""

from __future__ import annotations

from typing import Final

from sqlglot import exp, parse_one

from justai_assets.attribution.sql.customer_tables import Inputs
from justai_assets.attribution.sql.day_span import Span, within
from justai_assets.attribution.sql.dialects import Dialect, among, bounded_text, clock, is_zoned_by_default, spoken

CUSTOM_SQL: Final = """
SELECT
    AT_UTC(custom.event_timestamp) AS event_timestamp,
    CAST(custom.event_name AS TEXT) AS event_name,
    CAST(custom.user_id_or_email AS TEXT) AS user_id_or_email,
    UTC_DAY(AT_UTC(custom.event_timestamp)) AS event_date
FROM custom
WHERE custom.event_name IS NOT NULL AND custom.event_timestamp IS NOT NULL
"""
"""event_date stands last, because INSERT … PARTITION (event_date) takes the last column; readers go by name."""


def custom_query(
    inputs: Inputs, dialect: Dialect, span: Span | None = None, *, is_zoned: bool | None = None
) -> exp.Expression:
    """The four columns of a custom-events drop as a query; `.sql(dialect)` renders it.

    Args:
        inputs: the custom table, its columns and the events to take; engagement events are not read.
        dialect: what it will be rendered for.
        span: the days. None: all.
        is_zoned: whether event_timestamp holds instants; None: what the dialect's plain TIMESTAMP is.

    Rows without a name or a time are left out; rows without a user stay, and count as unattributed.

    Raises:
        SqlError: a table, column or event name that is none.
    """
    time = clock(dialect, is_zoned=is_zoned_by_default(dialect) if is_zoned is None else is_zoned)
    tree = parse_one(CUSTOM_SQL, read="duckdb")
    assert isinstance(tree, exp.Select)
    for column in list(tree.find_all(exp.Column)):
        column.replace(inputs.column("custom", column.name, dialect))
    for table in list(tree.find_all(exp.Table)):
        table.replace(inputs.table("custom", dialect))
    for call in reversed(list(tree.find_all(exp.Anonymous))):
        text = {"AT_UTC": time.utc, "UTC_DAY": time.day}[call.name]
        call.replace(spoken(text, dialect, x=call.expressions[0]))
    conditions = [tree.args["where"].this]
    if inputs.custom_events:
        conditions.append(among(inputs.column("custom", "event_name", dialect), inputs.custom_events))
    moment = inputs.column("custom", "event_timestamp", dialect)
    conditions += within(moment, time, dialect, span or Span())
    tree.set("where", exp.Where(this=exp.and_(*conditions, wrap=False)))
    if dialect == "redshift":
        bounded_text(tree)
    return tree
