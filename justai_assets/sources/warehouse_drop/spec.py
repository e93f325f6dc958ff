"""The drops of Redshift and Databricks as sources: their section of the org file, and where they land."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from justai_assets.orgs.extra_columns import ExtraColumns
from justai_assets.sources.source import Asked, ConnectText, FileReader, Landing, Source, SourceSettings

if TYPE_CHECKING:
    from justai_assets.connect.customer import Customer


class Drop(SourceSettings):
    """Parquet that a warehouse drops under the org's prefix.

    Attributes:
        content: `custom_events` (event_timestamp, event_name, user_id_or_email) or `unified_events` (the contract).
        extra_columns: columns beyond the contract that flow to unified_events: names, or name → text or number.
        settle_seconds: how long a day must be unchanged before it is read, when no manifest says it is complete.
    """

    content: Literal["custom_events", "unified_events"]
    extra_columns: ExtraColumns = Field(default_factory=dict)
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300

    @property
    def settle(self) -> int:
        """A warehouse writes a day in several files."""
        return self.settle_seconds


def _reader() -> FileReader:
    from justai_assets.sources.warehouse_drop import parse

    return FileReader(parse.KINDS, parse.OPTIONAL, parse.typed)


def _section(asked: Asked) -> dict[str, Any]:
    return {"content": "unified_events" if asked.is_engagement else "custom_events"}


def _redshift_values(customer: Customer) -> dict[str, Any]:
    from justai_assets.sources.warehouse_drop.connect import redshift_values

    return redshift_values(customer)


def _databricks_values(customer: Customer) -> dict[str, Any]:
    from justai_assets.sources.warehouse_drop.connect import databricks_values

    return databricks_values(customer)


REDSHIFT: Final = Source(
    name="redshift",
    contents=("custom_events", "unified_events"),
    settings=Drop,
    landing=Landing("redshift", (".parquet",), "redshift_drop", "parquet"),
    files=_reader,
    section=_section,
    connect=ConnectText(__package__, "connect_redshift.md.j2", _redshift_values),
    clean_export="CLEANPATH",
)

DATABRICKS: Final = Source(
    name="databricks",
    contents=("custom_events", "unified_events"),
    settings=Drop,
    landing=Landing("databricks", (".parquet",), "databricks_drop", "parquet"),
    files=_reader,
    section=_section,
    connect=ConnectText(__package__, "connect_databricks.md.j2", _databricks_values),
    clean_export="one that replaces whole days",
)
