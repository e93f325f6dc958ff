"""Reading a Parquet file that somebody else wrote: columns by name, times in UTC, ids as text.

Accepts what Redshift and Spark write: the partition column in the file or not, columns in any order and case, extra
columns, INT96 or INT64 timestamps, naive (UTC by contract) or zoned ones, ids as integers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import UTC_TIMESTAMP

ROW = "source_row"
_BATCH_ROWS = 1 << 17
_ODD_ZONE = re.compile(r"tz=(?!UTC\b)")


class DropFileError(JustAIError):
    """A dropped file that cannot be read as the contract says.

    Attributes:
        code: the quarantine reason.
        column: the column at fault, or several with commas, or "".
        rows: rows in the file, where the footer could be read; else 1.
        extra: columns beyond the contract, where the footer could be read.
    """

    def __init__(self, code: str, name: str, column: str = "", rows: int = 1, extra: tuple[str, ...] = ()) -> None:
        super().__init__(f"{name}: {code}{f' {column}' if column else ''}")
        self.code = code
        self.column = column
        self.rows = max(rows, 1)
        self.extra = extra


class DamagedError(Exception):
    """A page of a Parquet file cannot be read."""


@dataclass(frozen=True)
class DropFile:
    """A readable file: how many rows its footer promises, and the columns beyond the contract.

    `through_arrow`: it holds INT96 times, or a time zone that Polars may not know (it panics), even in a column that is
    not read: its columns are rewritten by Arrow first.
    """

    path: Path
    rows: int
    columns: Mapping[str, str]
    extra: tuple[str, ...]
    through_arrow: bool


def inspect(path: Path, name: str, required: Iterable[str], optional: Iterable[str] = ()) -> DropFile:
    """Read a file's footer and find the contract's columns in it.

    Args:
        path: the file.
        name: what to call it in an error.
        required: columns that must be there.
        optional: columns that are known but may be absent (the partition column).

    Raises:
        DropFileError: `unreadable_file`, or `missing_column`.
    """
    try:
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
        names = schema.names
        physical = [metadata.schema.column(index).physical_type for index in range(metadata.num_columns)]
    except (pa.ArrowException, OSError, ValueError):
        raise DropFileError("unreadable_file", name) from None
    by_lower = {column.lower(): column for column in reversed(names)}
    required = tuple(required)
    known = {*required, *optional}
    extra = tuple(sorted(column for column in names if column.lower() not in known))
    missing = ", ".join(column for column in required if column not in by_lower)
    if missing:
        raise DropFileError("missing_column", name, missing, metadata.num_rows, extra)
    return DropFile(
        path,
        metadata.num_rows,
        {column: by_lower[column] for column in required},
        extra,
        "INT96" in physical or any(_ODD_ZONE.search(str(kind)) for kind in schema.types),
    )


def rows(file: DropFile, name: str, kinds: Mapping[str, str], scratch: Path) -> pl.LazyFrame:
    """The contract's columns of a file, typed, with `source_row`.

    Args:
        file: from `inspect`.
        name: what to call it in an error.
        kinds: column → `time`, `date` or `text`.
        scratch: a path that may be written to; it must outlive the plan.

    Raises:
        DropFileError: `wrong_type`, or `unreadable_file` for a damaged page of a file read through Arrow; for other
            files, executing the plan raises a PolarsError when a page is damaged.
    """
    path = file.path
    if file.through_arrow:
        try:
            rewrite_in_utc(path, list(file.columns.values()), scratch)
        except DamagedError:
            raise DropFileError("unreadable_file", name, rows=file.rows) from None
        path = scratch
    # Hive parsing stays off: the folder's event_date and an INCLUDEd column of that name must not clash.
    scanned = pl.scan_parquet(path, hive_partitioning=False, row_index_name=ROW)
    schema = scanned.collect_schema()
    columns = [
        _typed(pl.col(actual), schema[actual], kinds[column], name, column, file.rows).alias(column)
        for column, actual in file.columns.items()
    ]
    return scanned.select(pl.col(ROW).cast(pl.Int64), *columns)


def _typed(column: pl.Expr, dtype: pl.DataType, kind: str, name: str, called: str, count: int) -> pl.Expr:
    if kind == "time":
        if not isinstance(dtype, pl.Datetime):
            raise DropFileError("wrong_type", name, called, count)
        moment = column.dt.convert_time_zone("UTC") if dtype.time_zone else column.dt.replace_time_zone("UTC")
        return moment.cast(UTC_TIMESTAMP)
    if kind == "date":
        if dtype != pl.Date:
            raise DropFileError("wrong_type", name, called, count)
        return column
    if dtype == pl.String:
        return column
    if isinstance(dtype, pl.Categorical | pl.Enum) or dtype.is_integer():
        return column.cast(pl.String)
    if dtype == pl.Null:
        return pl.lit(None, pl.String)
    if dtype.is_decimal() or dtype.is_float():
        # Warehouses write an id column with nulls as NUMERIC or DOUBLE. Only whole numbers are ids, and NaN is a null.
        if dtype.is_float():
            column = pl.when(column.is_finite()).then(column)
        whole = column.cast(pl.Int64, strict=False)
        return pl.when(whole.cast(dtype) == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    if dtype == pl.Binary:
        return column.cast(pl.String, strict=False)
    raise DropFileError("wrong_type", name, called, count)


def rewrite_in_utc(path: Path, columns: Sequence[str], target: Path) -> None:
    """Copy columns of a file by Arrow, batch by batch, with zoned times in UTC and INT96 as microseconds.

    Raises:
        DamagedError: a page of the file cannot be read.
    """
    # INT96 holds years that nanoseconds cannot: read as microseconds, or a sentinel like year 9999 wraps to a real day.
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as parquet:
        schema = pa.schema([_in_utc(parquet.schema_arrow.field(column)) for column in columns])
        with pq.ParquetWriter(target, schema, compression="lz4") as writer:
            batches = parquet.iter_batches(_BATCH_ROWS, columns=list(columns))
            while (batch := _next(batches)) is not None:
                writer.write_batch(batch.select(columns).cast(schema))


def _in_utc(field: pa.Field) -> pa.Field:
    is_zoned = pa.types.is_timestamp(field.type) and field.type.tz is not None
    return field.with_type(pa.timestamp(field.type.unit, "UTC")) if is_zoned else field


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    # pyarrow says OSError of a damaged page as well as of a full disk: only what reading raises is the file's fault.
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise DamagedError from error
