"""What a table is: columns, partitions, and what one row means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

UTC_TIMESTAMP: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column: its name, Polars type, whether null is allowed, and what it means."""

    name: str
    dtype: pl.DataType
    doc: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A Delta table of an org.

    Attributes:
        name: last part of its path and of its asset key.
        columns: in order.
        partition_by: Hive partition columns, the day first: event_date, or send_date where rows are about sends.
        personal: True when rows are about one person, by pseudonym; such tables are restricted.
        doc: what one row is.
        code_version: of the code that makes the rows. Raise it when the same input gives other rows: days that were
            made by another one are outdated.
        marks_empty_days: a day without rows has a file without rows. Nothing else says that it was built, where the
            ledger has no entry.
    """

    name: str
    columns: tuple[Column, ...]
    doc: str
    partition_by: tuple[str, ...] = ("event_date",)
    personal: bool = False
    code_version: int = 1
    marks_empty_days: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Names and types, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def day_column(self) -> str:
        """The partition column that holds the day: the day of the event, or of the send."""
        return self.partition_by[0]

    @property
    def required(self) -> tuple[str, ...]:
        """Columns in which null is a broken contract."""
        return tuple(column.name for column in self.columns if not column.nullable)


DECLARED: Final = "Declared by the org file, under extra_columns of its source."
"""What is said of a column beyond the contract; the mark by which one is known."""

STRING, COUNT = pl.String(), pl.Int64()
EVENT_TIMESTAMP = Column("event_timestamp", UTC_TIMESTAMP, "When it happened, UTC.", nullable=False)
EVENT_DATE = Column("event_date", pl.Date(), "DATE(event_timestamp) in UTC; the partition.", nullable=False)
MESSAGE = (
    Column("message_id", STRING, "The message: spans its send, opens and clicks. Case-sensitive."),
    Column("template_id", STRING, "Template identifier of the sending system."),
    Column("campaign_id", STRING, "Campaign identifier of the sending system."),
)
"""Columns that several tables have."""
