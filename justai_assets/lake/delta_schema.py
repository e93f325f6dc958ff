"""The contract's tables in Delta's own words."""

from __future__ import annotations

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import ArrayType, PrimitiveType, StructType
from polars.datatypes import DataTypeClass

from justai_assets.contract.tables import DECLARED, Table

MARK = "justai.contract"
"""In the metadata of a Delta field: a version of this package made it."""

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
    return {column.name: _spark_name(column.dtype) for column in table.columns}


def _spark_name(dtype: pl.DataType | DataTypeClass) -> str:
    if isinstance(dtype, pl.List):
        return f"array<{_spark_name(dtype.inner)}>"
    if isinstance(dtype, pl.Struct):
        return f"struct<{', '.join(f'{name}: {_spark_name(one)}' for name, one in dict(dtype).items())}>"
    return _TYPES[dtype.base_type()]


def _delta_type(dtype: pl.DataType | DataTypeClass) -> PrimitiveType | ArrayType | StructType:
    if isinstance(dtype, pl.List):
        return ArrayType(_delta_type(dtype.inner), contains_null=True)
    if isinstance(dtype, pl.Struct):
        return StructType([Field(name, _delta_type(one)) for name, one in dict(dtype).items()])
    return PrimitiveType(_TYPES[dtype.base_type()])


def delta_schema(table: Table) -> Schema:
    """Delta fields of a table, with the column's meaning as its comment.

    Every field is nullable in Delta: the contract is checked before a commit, where the message can name the day and
    column, and a column may be relaxed later without a new table.
    """
    return Schema(
        [
            Field(column.name, _delta_type(column.dtype), metadata={"comment": column.doc, MARK: "yes"})
            for column in table.columns
        ]
    )


def columns_of_another_version(found: DeltaTable, table: Table) -> list[str]:
    """Columns that another version of this package, most likely a newer one, gave a Delta table.

    Columns that somebody else added have no mark, and those that an org file declares, or once did, have their own.
    """
    return [
        one.name
        for one in found.schema().fields
        if one.name not in table.schema and MARK in one.metadata and one.metadata.get("comment") != DECLARED
    ]
