"""The warehouses the rule is rendered for, and how each says the few things about time that SQL does not agree on.

A column of instants (`is_zoned`) and a column of naive UTC times are not the same thing in any of them. The texts here
do not depend on the session's time zone, in which `CAST(instant AS DATE)` silently puts the evening's events on another
day, and in which Spark's `instant - INTERVAL '24' HOUR` subtracts one local day: 23 or 25 hours when the clocks change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from sqlglot import exp, parse_one

from justai_assets.contract.errors import JustAIError

Dialect = Literal["duckdb", "redshift", "databricks", "snowflake", "bigquery"]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


class SqlError(JustAIError):
    """SQL that cannot be rendered as asked; the message names the option at fault."""

    code = "sql"


@dataclass(frozen=True)
class Clock:
    """Time in one dialect and one kind of column; each text is of that dialect.

    Attributes:
        utc: the column `{x}` as the query goes on with it: naive UTC, or the instant where instants are exact.
        day: the UTC date of `{x}`.
        before: `{x}` less `{hours}` whole hours of elapsed time; `{back}` is minus that number.
        midnight: the start, in UTC, of the date `{d}`, comparable with `{x}`.
        today: today's date in UTC.
        own: the moment `{x}`, as the query goes on with it, in the kind of the column itself: a bound that leaves the
            column bare.
        slack: hours by which `own` may be off, for the session's zone bends it; 0: exact.
    """

    utc: str
    day: str
    before: str
    midnight: str
    today: str
    own: str = "{x}"
    slack: int = 0


_TODAY: Final = {
    "duckdb": "CAST(NOW() AT TIME ZONE 'UTC' AS DATE)",
    # GETDATE() is in the session's zone: the printed script sets it to UTC first.
    "redshift": "CAST(GETDATE() AS DATE)",
    "databricks": "DATE_FROM_UNIX_DATE(CAST(UNIX_MICROS(CURRENT_TIMESTAMP()) DIV 86400000000 AS INT))",
    "snowflake": "CAST(SYSDATE() AS DATE)",
    "bigquery": "CURRENT_DATE('UTC')",
}
_NAIVE_TYPE: Final = {
    "duckdb": "TIMESTAMP",
    "redshift": "TIMESTAMP",
    "snowflake": "TIMESTAMP_NTZ",
    "bigquery": "DATETIME",
}
_NAIVE_BEFORE: Final = {
    "duckdb": "{x} - INTERVAL '{hours}' HOUR",
    "redshift": "DATEADD(HOUR, {back}, {x})",
    "snowflake": "DATEADD(HOUR, {back}, {x})",
    "bigquery": "DATETIME_SUB({x}, INTERVAL {hours} HOUR)",
}
_TO_NAIVE: Final = {
    "duckdb": "{x} AT TIME ZONE 'UTC'",
    "redshift": "{x} AT TIME ZONE 'UTC'",
    "snowflake": "CAST(CONVERT_TIMEZONE('UTC', {x}) AS TIMESTAMP_NTZ)",
}
_OWN: Final = {
    # AT TIME ZONE binds closer than the minus of an interval.
    "duckdb": "({x}) AT TIME ZONE 'UTC'",
    "redshift": "{x} AT TIME ZONE 'UTC'",
    "snowflake": "CAST({x} AS TIMESTAMP_TZ)",
}
_ZONE_SLACK: Final = 24
"""No zone is further from UTC than 14 hours."""

_INSTANTS: Final = {
    "databricks": Clock(
        utc="{x}",
        day="DATE_FROM_UNIX_DATE(CAST(UNIX_MICROS({x}) DIV 86400000000 AS INT))",
        before="TIMESTAMP_MICROS(UNIX_MICROS({x}) - {hours} * 3600000000)",
        midnight="TIMESTAMP_SECONDS(CAST(UNIX_DATE({d}) AS BIGINT) * 86400)",
        today=_TODAY["databricks"],
    ),
    "bigquery": Clock(
        utc="{x}",
        day="DATE({x}, 'UTC')",
        before="TIMESTAMP_SUB({x}, INTERVAL {hours} HOUR)",
        midnight="TIMESTAMP({d}, 'UTC')",
        today=_TODAY["bigquery"],
    ),
}


_NAIVE_IN_DATABRICKS: Final = "CAST(CONCAT(CAST({x} AS STRING), '+00:00') AS TIMESTAMP)"
"""A TIMESTAMP_NTZ goes into the export's TIMESTAMP column as if it were the session's local time: say that it is UTC.

A text with its offset is the one conversion that no session zone and no change of clocks can bend.
"""


def is_zoned_by_default(dialect: Dialect) -> bool:
    """Whether the dialect's plain TIMESTAMP is an instant: in Databricks and BigQuery it is, elsewhere it is naive."""
    return dialect in _INSTANTS


def clock(dialect: Dialect, *, is_zoned: bool) -> Clock:
    """How a dialect speaks of time, for columns of instants or of naive UTC times."""
    if is_zoned and dialect in _INSTANTS:
        return _INSTANTS[dialect]
    if dialect == "databricks":
        own = "CAST({x} AS TIMESTAMP_NTZ)"
        return replace(_INSTANTS[dialect], utc=_NAIVE_IN_DATABRICKS, own=own, slack=_ZONE_SLACK)
    return Clock(
        utc=_TO_NAIVE[dialect] if is_zoned else "{x}",
        day="CAST({x} AS DATE)",
        before=_NAIVE_BEFORE[dialect],
        midnight=f"CAST({{d}} AS {_NAIVE_TYPE[dialect]})",
        today=_TODAY[dialect],
        own=_OWN[dialect] if is_zoned else "{x}",
        slack=_ZONE_SLACK if is_zoned and dialect == "snowflake" else 0,
    )


def spoken(text: str, dialect: Dialect, *, hours: int = 0, **parts: exp.Expression) -> exp.Expression:
    """A clock's text with its parts put in, as a tree."""
    texts = {name: part.sql(dialect=dialect) for name, part in parts.items()}
    tree = parse_one(text.format(hours=hours, back=-hours, **texts), read=dialect)
    if dialect == "bigquery":
        # BigQuery's INTERVAL takes a number; the parser has made it the string that other dialects want.
        for less in tree.find_all(exp.TimestampSub, exp.DatetimeSub):
            less.set("expression", exp.Literal.number(less.expression.name))
    assert isinstance(tree, exp.Expression)
    return tree


def text_literal(value: str, what: str) -> exp.Expression:
    """A string literal.

    Raises:
        SqlError: a quote, a backslash or a control character: dialects escape them in different ways, and an UNLOAD
            holds its query inside one more literal.
    """
    if "\\" in value or "'" in value or not value.isprintable():
        raise SqlError(f"{what} {value!r} holds a quote, a backslash or a control character", mend="use a plain name")
    literal: exp.Expression = exp.Literal.string(value)
    return literal


def among(column: exp.Expression, names: tuple[str, ...]) -> exp.Expression:
    """Whether a column is one of some names; SqlError for a name that dialects would read differently."""
    literals = [text_literal(name, "event name") for name in names]
    return exp.In(this=column.copy(), expressions=literals)


def bounded_text(tree: exp.Expression) -> None:
    """Replace every TEXT by VARCHAR(512), in place, for Redshift.

    It sorts VARCHAR(MAX) at its full 64 KiB. What is longer than 256 bytes is refused where it is read, and a text cut
    at 512 still is.
    """
    for kind in tree.find_all(exp.DataType):
        if kind.this == exp.DataType.Type.TEXT:
            kind.replace(exp.DataType.build("VARCHAR(512)", dialect="redshift"))
