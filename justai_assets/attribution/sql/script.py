"""The script a customer runs: the statements for one warehouse, with what must be known written above them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from sqlglot import exp

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks_export, redshift_unload
from justai_assets.attribution.sql.custom_query import custom_query
from justai_assets.attribution.sql.customer_tables import Content, Inputs, parsed_name
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect, SqlError
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets.attribution.sql.script_heading import heading
from justai_assets.contract.days import Days
from justai_assets.landing.drop_place import DropPlace

Form = Literal["export", "manifest", "pyspark", "share", "view", "query"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
DROPS: Final[tuple[Form, ...]] = ("export", "manifest", "pyspark")
"""Forms whose result lies at the org's prefix, where the org file says what it must hold."""

DEFAULT_FORM: Final[dict[Dialect, Form]] = {
    "redshift": "export",
    "databricks": "export",
    "duckdb": "query",
    "snowflake": "view",
    "bigquery": "view",
}
SHAPES: Final[dict[Dialect, tuple[Form, ...]]] = {
    "redshift": ("export", "manifest", "view", "query"),
    "databricks": ("export", "pyspark", "share", "view", "query"),
    "duckdb": ("query", "view"),
    "snowflake": ("view", "query"),
    "bigquery": ("view", "query"),
}
DEFAULT_LAST_DAYS: Final = 3
MOST_SINGLE_DAYS: Final = 31
"""A longer range is one statement: each day by itself reads its lookback again."""

PLACEHOLDER_ROLE: Final = "arn:aws:iam::<account-id>:role/<role-name>"
_ANY_DAY: Final = date(1900, 1, 1)
_DAY: Final = "<day>"


@dataclass(frozen=True)
class Target:
    """Where the script puts its result; only what the form needs is read.

    Attributes:
        place: bucket and prefix of the door.
        role: ARN that Redshift assumes.
        region: the bucket's, when it is not the cluster's.
        view: name of the view; None: the default.
        version: of the view.
        share: the Databricks share that the view is added to.
    """

    place: DropPlace
    role: str = PLACEHOLDER_ROLE
    region: str | None = None
    view: str | None = None
    version: int = 1
    share: str = databricks_export.SHARE


def statements(
    rule: Rule,
    inputs: Inputs,
    dialect: Dialect,
    form: Form,
    target: Target,
    span: Span,
    *,
    is_zoned: bool | None = None,
    content: Content = "unified_events",
) -> list[str]:
    """The statements of a script, in order, without semicolons.

    An export of up to 31 fixed days replaces each day by itself, so that none keeps a stale file. The form pyspark
    gives the statements of one day, with `<day>` in its place.

    Raises:
        SqlError: a form the dialect does not have, or a name, role or range that cannot be rendered.
    """
    if form not in SHAPES[dialect]:
        raise SqlError(f"{dialect} has no form {form!r}", mend=f"choose {', '.join(SHAPES[dialect])}")
    if target.version < 1:
        raise SqlError(f"version {target.version}", mend="versions count from 1")
    if content == "custom_events" and form == "share":
        raise SqlError("a Delta Share brings the unified stream", mend="leave --content out, or choose another form")

    def query(of: Span) -> exp.Expression:
        if content == "custom_events":
            return custom_query(inputs, dialect, of, is_zoned=is_zoned)
        return rule_query(rule, inputs, dialect, of, is_zoned=is_zoned)

    def unload(of: Span, day: date | None) -> str:
        may_delete = form == "export"
        return redshift_unload.unload(
            query(of), target.place, target.role, may_delete=may_delete, region=target.region, day=day
        )

    match form:
        case "export" | "pyspark" if dialect == "databricks":
            made = databricks_export.tables(target.place, content)
            if form == "pyspark":
                # A day of its own stands where the script puts each day it comes to.
                one = databricks_export.replace_day(query(Span(Days(_ANY_DAY, _ANY_DAY))), content, _ANY_DAY)
                return [*made, one.replace(_ANY_DAY.isoformat(), _DAY)]
            days = _single_days(span)
            if days:
                return [
                    *made,
                    *(databricks_export.replace_day(query(Span(Days(day, day))), content, day) for day in days),
                ]
            return [*databricks_export.CLASSIC, *made, databricks_export.replace_found_days(query(span), content)]
        case "export":
            days = _single_days(span)
            if days:
                return [redshift_unload.SESSION, *(unload(Span(Days(day, day)), day) for day in days)]
            return [redshift_unload.SESSION, unload(span, None)]
        case "manifest":
            # One manifest at the prefix, whatever the days: one in a day's folder would speak for that day also after
            # a later run has written other parts to it.
            return [redshift_unload.SESSION, unload(span, None)]
        case "share":
            return databricks_export.share(
                query(span), view=target.view or databricks_export.VIEW, version=target.version, name=target.share
            )
        case "view":
            return [_view(query(span), dialect, target, content)]
        case _:
            return [query(span).sql(dialect=dialect, pretty=True)]


def script(
    slug: str,
    rule: Rule,
    inputs: Inputs,
    dialect: Dialect,
    form: Form,
    target: Target,
    span: Span,
    *,
    is_zoned: bool | None = None,
    content: Content = "unified_events",
    remarks: tuple[str, ...] = (),
) -> str:
    """The whole script below a heading of comments: statements ended by semicolons, or Python for the form pyspark."""
    parts = statements(rule, inputs, dialect, form, target, span, is_zoned=is_zoned, content=content)
    is_by_day = form == "pyspark" or (form == "export" and bool(_single_days(span)))
    said = [*remarks, *heading(slug, rule, dialect, form, content, span, is_by_day=is_by_day)]
    if form == "pyspark":
        return _in_python(said, parts, span)
    lines = [*(f"-- {line}\n" for line in said), "\n", *(f"{part};\n\n" for part in parts)]
    return "".join(lines).rstrip("\n") + "\n"


def _single_days(span: Span) -> list[date]:
    """The days of a fixed range that is short enough to be written day by day."""
    if span.days is None or len(span.days) > MOST_SINGLE_DAYS:
        return []
    return list(span.days)


def _in_python(said: list[str], parts: list[str], span: Span) -> str:
    if span.days is not None:
        first = span.days.first
        days = f"[date({first.year}, {first.month}, {first.day}) + timedelta(days=n) for n in range({len(span.days)})]"
        imports = "date, timedelta"
    elif span.last is not None:
        days = f"[datetime.now(timezone.utc).date() - timedelta(days=n) for n in reversed(range({span.last}))]"
        imports = "datetime, timedelta, timezone"
    else:
        raise SqlError("the form pyspark goes day by day", mend="give --from and --to, or --last-days")
    *tables, one = parts
    quotes = '"' * 3
    lines = [
        *(f"# {line}" for line in said),
        f"from datetime import {imports}",
        "",
        "from pyspark.sql import SparkSession",
        "",
        f"DAYS = {days}",
        f"TABLES = [{', '.join(quotes + table + quotes for table in tables)}]",
        f"REPLACE_DAY = {quotes}{one}{quotes}",
        "",
        "spark = SparkSession.builder.getOrCreate()",
        "for statement in TABLES:",
        "    spark.sql(statement)",
        "for day in DAYS:",
        f'    spark.sql(REPLACE_DAY.replace("{_DAY}", day.isoformat()))',
    ]
    return "\n".join(lines) + "\n"


def _view(query: exp.Expression, dialect: Dialect, target: Target, content: Content) -> str:
    default = databricks_export.VIEW if dialect == "databricks" else "justai.unified_events"
    if content == "custom_events":
        default = default.replace("unified_events", "custom_events")
    name = parsed_name(f"{target.view or default}_v{target.version}", exp.Table, dialect, "view").sql(dialect=dialect)
    return f"CREATE OR REPLACE VIEW {name} AS\n{query.sql(dialect=dialect, pretty=True)}"
