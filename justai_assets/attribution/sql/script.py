"""The script a customer runs: the statements for one warehouse, with what must be known written above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from sqlglot import exp

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks, redshift
from justai_assets.attribution.sql.dialects import Dialect, SqlError
from justai_assets.attribution.sql.inputs import Inputs, parsed_name
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets.attribution.sql.span import Span
from justai_assets.landing.drop_place import DropPlace

Form = Literal["export", "manifest", "share", "view", "query"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
DEFAULT_FORM: Final[dict[Dialect, Form]] = {
    "redshift": "export",
    "databricks": "export",
    "duckdb": "query",
    "snowflake": "view",
    "bigquery": "view",
}
SHAPES: Final[dict[Dialect, tuple[Form, ...]]] = {
    "redshift": ("export", "manifest", "view", "query"),
    "databricks": ("export", "share", "view", "query"),
    "duckdb": ("query", "view"),
    "snowflake": ("view", "query"),
    "bigquery": ("view", "query"),
}
DEFAULT_LAST_DAYS: Final = 3
PLACEHOLDER_ROLE: Final = "arn:aws:iam::<account-id>:role/<role-name>"

_SAID: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "export": {
        "redshift": (
            "Run daily. CLEANPATH needs s3:DeleteObject on the prefix; it empties each day it writes to,",
            "so that no part of an earlier run is left to count twice. A day that became empty keeps its old files.",
        ),
        "databricks": (
            "Run daily, on a cluster that may WRITE FILES at the location. Days with rows are replaced, others stay;",
            "a day that has become empty keeps its old files.",
        ),
    },
    "manifest": {
        "redshift": (
            "For a role without s3:DeleteObject. The manifest names the files of this run's days, and only those are",
            "read. It says nothing of older days: once a later run has replaced it, a stale part there counts again.",
            "Prefer the form with CLEANPATH.",
        )
    },
    "share": {"databricks": ("The view is shared with ADD VIEW. Send the activation link of the last statement.",)},
}


@dataclass(frozen=True)
class Target:
    """Where the script puts its result; only what the form needs is read.

    Attributes:
        place: bucket and prefix of the door.
        role: ARN that Redshift assumes.
        region: the bucket's, when it is not the cluster's.
        view: name of the view; None: the default.
        version: of the view.
    """

    place: DropPlace
    role: str = PLACEHOLDER_ROLE
    region: str | None = None
    view: str | None = None
    version: int = 1


def statements(
    rule: Rule,
    inputs: Inputs,
    dialect: Dialect,
    form: Form,
    target: Target,
    span: Span,
    *,
    is_zoned: bool | None = None,
) -> list[str]:
    """The statements of a script, in order, without semicolons.

    Raises:
        SqlError: a form the dialect does not have, or a name, role or range that cannot be rendered.
    """
    if form not in SHAPES[dialect]:
        raise SqlError(f"{dialect} has no form {form!r}", mend=f"choose {', '.join(SHAPES[dialect])}")
    if target.version < 1:
        raise SqlError(f"version {target.version}", mend="versions count from 1")
    query = rule_query(rule, inputs, dialect, span, is_zoned=is_zoned)
    match form:
        case "export" if dialect == "databricks":
            return databricks.export(query, target.place)
        case "export" | "manifest":
            return redshift.unload(query, target.place, target.role, may_delete=form == "export", region=target.region)
        case "share":
            return databricks.share(query, view=target.view or databricks.VIEW, version=target.version)
        case "view":
            return [_view(query, dialect, target)]
        case "query":
            return [query.sql(dialect=dialect, pretty=True)]


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
) -> str:
    """The whole script, statements ended by semicolons, below a heading of comments."""
    parts = statements(rule, inputs, dialect, form, target, span, is_zoned=is_zoned)
    windows = ", ".join(f"{name} {hours} h" for name, hours in sorted(rule.windows.items()))
    heading = [
        f"{slug}: unified stream for JustAI ({dialect}, {form}), {span}.",
        f"Sends: {', '.join(rule.send_events)}. A custom event goes to the latest send less than {rule.window_hours} h"
        f" before it{f' ({windows})' if windows else ''}.",
        "Output: event_name, event_timestamp (UTC), event_date, message_id, template_id, campaign_id. No user leaves.",
        *_SAID.get(form, {}).get(dialect, ()),
    ]
    return (
        "".join([*(f"-- {line}\n" for line in heading), "\n", *(f"{part};\n\n" for part in parts)]).rstrip("\n") + "\n"
    )


def _view(query: exp.Expression, dialect: Dialect, target: Target) -> str:
    default = databricks.VIEW if dialect == "databricks" else "justai.unified_events"
    name = parsed_name(f"{target.view or default}_v{target.version}", exp.Table, dialect, "view").sql(dialect=dialect)
    return f"CREATE OR REPLACE VIEW {name} AS\n{query.sql(dialect=dialect, pretty=True)}"
