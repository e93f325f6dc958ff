"""The contract's tables in Delta's own words."""

from __future__ import annotations

import polars as pl
from deltalake import Field, Schema
from deltalake.schema import PrimitiveType

from justai_assets.contract.tables import Table

_TYPES = {
    pl.String: "string",
    pl.Int64: "long",
    pl.Int32: "integer",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
}


def delta_types(table: Table) -> dict[str, str]:
    """Column → the name of its type, in order; Spark SQL knows the same names."""
    return {column.name: _TYPES[column.dtype.base_type()] for column in table.columns}


def delta_schema(table: Table) -> Schema:
    """Delta fields of a table, with the column's meaning as its comment.

    Every field is nullable in Delta: the contract is checked before a commit, where the message can name the day and
    column, and a column may be relaxed later without a new table.
    """
    kinds = delta_types(table)
    return Schema(
        [
            Field(column.name, PrimitiveType(kinds[column.name]), metadata={"comment": column.doc})
            for column in table.columns
        ]
    )
