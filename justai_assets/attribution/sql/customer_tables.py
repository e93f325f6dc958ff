"""The customer's two tables: what they are called, and which of their columns are the ones the rule reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from sqlglot import exp
from sqlglot.errors import SqlglotError

from justai_assets.attribution.sql.dialects import Dialect, SqlError

COLUMNS: Final = {
    "engagement": ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "user_id"),
    "custom": ("event_name", "event_timestamp", "user_id"),
}
"""The rule's names, by input."""

EXPORTED: Final = ("event_name", "event_timestamp", "user_id_or_email")
"""What a drop of custom events alone reads of the custom table."""

Content = Literal["unified_events", "custom_events"]
"""What a drop brings, as the org file says it: the joined stream, or custom events that JustAI joins."""

CONTENTS: Final[tuple[Content, ...]] = get_args(Content)


def default_tables(dialect: Dialect, content: Content = "unified_events") -> dict[str, str]:
    """The tables of the product documentation's samples."""
    if content == "custom_events" and dialect != "databricks":
        return {"engagement": "public.iterable", "custom": "public.custom_metrics"}
    if dialect == "databricks":
        return {"engagement": "analytics.iterable_events", "custom": "analytics.custom_events"}
    return {"engagement": "public.iterable", "custom": "public.custom_events"}


@dataclass(frozen=True)
class Inputs:
    """Tables and columns, as the customer names them in its own dialect (quoted where it must be).

    Attributes:
        engagement_table: engagement events: sends, opens, clicks.
        custom_table: custom events: purchases, signups.
        engagement_columns: the rule's column name → theirs, where it differs.
        custom_columns: the same for custom events.
        engagement_events: names that pass through; every name when empty. Sends are found whatever stands here.
        custom_events: names that are attributed; every name when empty.
    """

    engagement_table: str
    custom_table: str
    engagement_columns: dict[str, str] = field(default_factory=dict)
    custom_columns: dict[str, str] = field(default_factory=dict)
    engagement_events: tuple[str, ...] = ()
    custom_events: tuple[str, ...] = ()

    def table(self, which: str, dialect: Dialect) -> exp.Expression:
        """The table as a tree; SqlError when its name is not one."""
        name = self.engagement_table if which == "engagement" else self.custom_table
        return parsed_name(name, exp.Table, dialect, f"{which} table")

    def column(self, which: str, name: str, dialect: Dialect) -> exp.Expression:
        """One of its columns as a tree; SqlError when its name is not one."""
        theirs = (self.engagement_columns if which == "engagement" else self.custom_columns).get(name, name)
        return parsed_name(theirs, exp.Column, dialect, f"{which} column {name}")


def parsed_name(name: str, kind: type[exp.Expression], dialect: Dialect, what: str) -> exp.Expression:
    """A table's or column's name as a tree: a name and nothing else, so that no text of an option becomes SQL."""
    try:
        tree: exp.Expression = exp.maybe_parse(name, into=kind, dialect=dialect)
        is_name = isinstance(tree, kind) and all(
            isinstance(node, exp.Table | exp.Column | exp.Dot | exp.Identifier) for node in tree.walk()
        )
    except SqlglotError:
        is_name = False
    if not is_name:
        raise SqlError(f"{what} {name!r} is not a name in {dialect}", mend="give schema.table, quoted where it must be")
    return tree


def checked_columns(which: str, columns: dict[str, str], content: Content = "unified_events") -> dict[str, str]:
    """The same mapping; SqlError when it renames a column that is not read."""
    read = COLUMNS[which] if content == "unified_events" else EXPORTED if which == "custom" else ()
    unknown = sorted(columns.keys() - set(read))
    if unknown:
        known = ", ".join(read or EXPORTED)
        raise SqlError(f"{', '.join(unknown)} is not read from {which} events", mend=f"name one of {known}")
    return columns
