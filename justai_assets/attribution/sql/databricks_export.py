"""Databricks: the export to the org's prefix, and the view that is shared."""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlglot import exp

from justai_assets.attribution.sql.customer_tables import Content, parsed_name
from justai_assets.landing.drop_place import DropPlace

SCHEMA: Final = "main.justai"
EXPORT_TABLES: Final[dict[Content, str]] = {
    "unified_events": f"{SCHEMA}.unified_export",
    "custom_events": f"{SCHEMA}.custom_export",
}
"""External tables over the prefix, by content."""

VIEW = f"{SCHEMA}.unified_events"
SHARE = "just_words_ingest"
RECIPIENT = "just_words_recipient"

CLASSIC: Final = (
    "SET spark.sql.sources.partitionOverwriteMode = dynamic",
    "SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS",
)
"""Settings that SQL warehouses and serverless compute do not have."""

_TYPES: Final[dict[Content, tuple[str, ...]]] = {
    "unified_events": (
        "event_name STRING", "event_timestamp TIMESTAMP", "message_id STRING", "template_id STRING",
        "campaign_id STRING", "event_date DATE",
    ),
    "custom_events": (
        "event_timestamp TIMESTAMP", "event_name STRING", "user_id_or_email STRING", "event_date DATE",
    ),
}  # fmt: skip


def tables(place: DropPlace, content: Content) -> list[str]:
    """The statements that make the external table over the org's prefix, and its schema, when they are not there."""
    columns = ",\n".join(f"  {column}" for column in _TYPES[content])
    return [
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        (
            f"CREATE TABLE IF NOT EXISTS {EXPORT_TABLES[content]} (\n{columns}\n)\n"
            f"USING PARQUET\nPARTITIONED BY (event_date)\nLOCATION '{place.url}'"
        ),
    ]


def replace_found_days(query: exp.Expression, content: Content) -> str:
    """The statement that replaces the days a query has rows for, for a session with the settings of `CLASSIC`.

    Days without rows keep their files. Rows are gathered by day before they are written, in files as large as the
    engine wants them. event_date is the query's last column.
    """
    return f"INSERT OVERWRITE TABLE {EXPORT_TABLES[content]} PARTITION (event_date)\n{_rebalanced(query)}"


def replace_day(query: exp.Expression, content: Content, day: date | str) -> str:
    """The statement that replaces one day by the query's rows of it, on any compute.

    The partition is named, so nothing depends on partitionOverwriteMode, and a day that became empty loses its files.

    Args:
        query: gives rows of that day alone; event_date is its last column.
        content: what the drop brings.
        day: the day, or a name to be replaced by one.
    """
    rows = query.copy()
    assert isinstance(rows, exp.Select)
    rows.set("expressions", rows.expressions[:-1])
    # Without it a join's result lies in as many files as the session has shuffle partitions.
    rows.set("hint", exp.Hint(expressions=[exp.var("REBALANCE")]))
    insert = f"INSERT OVERWRITE TABLE {EXPORT_TABLES[content]} PARTITION (event_date = '{day}')"
    return f"{insert}\n{rows.sql(dialect='databricks', pretty=True)}"


def share(
    query: exp.Expression, *, view: str = VIEW, version: int = 1, name: str = SHARE, recipient: str = RECIPIENT
) -> list[str]:
    """The statements that share the stream as a view, in order.

    Args:
        query: the unified stream, for Databricks, of all days.
        view: catalog.schema.name, to which `_v<version>` is added. A share serves what it serves: an evolved schema is
            a new version beside the old one, in the same share.
        version: 1 or more.
        name: the share.
        recipient: the recipient.

    A view is added with ADD VIEW; ADD TABLE, as an older guide has it, refuses views.
    """
    versioned = parsed_name(f"{view}_v{version}", exp.Table, "databricks", "view").sql(dialect="databricks")
    schema = parsed_name(view.rpartition(".")[0], exp.Table, "databricks", "view").sql(dialect="databricks")
    names = [parsed_name(one, exp.Table, "databricks", "name").sql(dialect="databricks") for one in (name, recipient)]
    return [
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        f"CREATE OR REPLACE VIEW {versioned} AS\n{query.sql(dialect='databricks', pretty=True)}",
        f"CREATE SHARE IF NOT EXISTS {names[0]}",
        f"ALTER SHARE {names[0]} ADD VIEW {versioned}",
        f"CREATE RECIPIENT IF NOT EXISTS {names[1]}",
        f"GRANT SELECT ON SHARE {names[0]} TO RECIPIENT {names[1]}",
        f"DESCRIBE RECIPIENT {names[1]}",
    ]


def _rebalanced(query: exp.Expression) -> str:
    hinted = query.copy()
    hinted.set("hint", exp.Hint(expressions=[exp.func("REBALANCE", exp.column("event_date"))]))
    return hinted.sql(dialect="databricks", pretty=True)
