"""Databricks: the export to the org's prefix, and the view that is shared."""

from __future__ import annotations

from sqlglot import exp

from justai_assets.attribution.sql.inputs import parsed_name
from justai_assets.landing.drop_place import DropPlace

EXPORT_TABLE = "main.justai.unified_export"
VIEW = "main.justai.unified_events"
SHARE = "just_words_ingest"
RECIPIENT = "just_words_recipient"


def export(query: exp.Expression, place: DropPlace, *, table: str = EXPORT_TABLE) -> list[str]:
    """The statements that replace the query's days at the prefix, in order.

    Args:
        query: the unified stream, for Databricks; event_date is its last column.
        place: the org's own prefix.
        table: external table over the prefix, made when it is not there.

    Dynamic overwrite replaces the days that the query has rows for and leaves the others; a day that became empty keeps
    its old files. Rows are gathered by day before they are written, in files as large as the engine wants them.
    """
    name = parsed_name(table, exp.Table, "databricks", "export table").sql(dialect="databricks")
    hinted = query.copy()
    hinted.set("hint", exp.Hint(expressions=[exp.func("REBALANCE", exp.column("event_date"))]))
    return [
        "SET spark.sql.sources.partitionOverwriteMode = dynamic",
        "SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS",
        (
            f"CREATE TABLE IF NOT EXISTS {name} (\n"
            "  event_name STRING,\n  event_timestamp TIMESTAMP,\n  message_id STRING,\n  template_id STRING,\n"
            "  campaign_id STRING,\n  event_date DATE\n)\n"
            f"USING PARQUET\nPARTITIONED BY (event_date)\nLOCATION '{place.url}'"
        ),
        f"INSERT OVERWRITE TABLE {name} PARTITION (event_date)\n{hinted.sql(dialect='databricks', pretty=True)}",
    ]


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
    names = [parsed_name(one, exp.Table, "databricks", "name").sql(dialect="databricks") for one in (name, recipient)]
    return [
        f"CREATE OR REPLACE VIEW {versioned} AS\n{query.sql(dialect='databricks', pretty=True)}",
        f"CREATE SHARE IF NOT EXISTS {names[0]}",
        f"ALTER SHARE {names[0]} ADD VIEW {versioned}",
        f"CREATE RECIPIENT IF NOT EXISTS {names[1]}",
        f"GRANT SELECT ON SHARE {names[0]} TO RECIPIENT {names[1]}",
        f"DESCRIBE RECIPIENT {names[1]}",
    ]
