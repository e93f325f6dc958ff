"""Anyone's Parquet, read as engagement or custom events: which files, which columns, and in which type."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import available_timezones

import polars as pl

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.placeholders import trimmed
from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.landing.parquet import rewrite_in_utc

if TYPE_CHECKING:
    import pyarrow as pa

ENGAGEMENT_COLUMNS: Final = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "user_id")
CUSTOM_COLUMNS: Final = ("event_name", "event_timestamp", "user_id")

_FILES_AT_ONCE = 64
COMPLETE: Final = pl.col("event_name").is_not_null() & pl.col("event_timestamp").is_between(
    pl.lit(datetime(1, 1, 1), UTC_TIMESTAMP),  # noqa: DTZ001 - the type beside it carries UTC
    pl.lit(datetime(9999, 12, 31), UTC_TIMESTAMP),  # noqa: DTZ001 - the type beside it carries UTC
).fill_null(value=False)
"""Whether a row has a name and a usable time: present, and in a year that a date can have."""


class InputError(JustAIError):
    """An input that cannot be read as events; the message names the file or the column."""

    code = "attribution_input"


@dataclass(frozen=True)
class Source:
    """Parquet files of one schema and how their columns become the contract's.

    Attributes:
        paths: the files, in order.
        rows: rows in them.
        columns: name → expression over the files' own columns, of the contract's type (UTC µs, strings).
    """

    paths: tuple[Path, ...]
    rows: int
    columns: dict[str, pl.Expr]

    @classmethod
    def whole(cls, path: Path) -> Source:
        """A file of our own making, whose columns are as they should be."""
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
        return cls((path,), rows, {name: pl.col(name) for name in pl.read_parquet_schema(path)})

    def scan(self, *names: str) -> pl.LazyFrame:
        """The named columns of every row, in the order of the files and their rows."""
        frame = pl.scan_parquet(list(self.paths), hive_partitioning=False, glob=False)
        return frame.select(self.columns[name].alias(name) for name in names)

    def each(self) -> Iterator[Source]:
        """The same, file by file; their rows are not counted."""
        for path in self.paths:
            yield Source((path,), 0, self.columns)

    def incomplete(self) -> int:
        """Rows without a name or a usable time; from the footers where they say that there is none."""
        if all(_complete(path) for path in self.paths):
            return 0
        counted = self.scan("event_name", "event_timestamp").select((~COMPLETE).sum())
        return int(counted.collect(engine="streaming").item())


def sources(pattern: str, required: tuple[str, ...], scratch: Path) -> list[Source]:
    """The Parquet files that a path, a folder or a glob names, sorted by path, each checked by its footer.

    Hidden files (`_SUCCESS`, `.part.crc`) are passed over. Column order and further columns do not matter.
    Timestamps may be ns, µs or ms, with or without a zone (without: UTC; finer than µs is cut off). Ids may be
    integers, decimals, or floats that are whole because a column with nulls went through pandas; they become their
    digits, and what is no number is null. A user_id has no spaces around it, and one that is blank is none.

    Args:
        pattern: path, folder or glob.
        required: the columns.
        scratch: a folder for copies of files that Polars cannot read: with a time zone like `+05:30` in any column.

    Raises:
        InputError: no file, a file that is not Parquet, a column that is absent or of a type that has no such reading.
    """
    found: list[Source] = []
    previous = None
    for path in expand(pattern):
        source, schema = _source(path, required, scratch)
        if schema == previous and len(found[-1].paths) < _FILES_AT_ONCE:
            # Neighbours of one schema are one scan: thousands of small files would otherwise be thousands of queries.
            before = found.pop()
            source = Source((*before.paths, *source.paths), before.rows + source.rows, source.columns)
        found.append(source)
        previous = schema
    if not found:
        raise InputError(f"no Parquet file matches {pattern}", mend="give a file, a folder, or a quoted glob")
    return found


def expand(pattern: str) -> list[Path]:
    """The files that a path, a folder (searched for *.parquet) or a glob (`**` for any depth) names, sorted.

    A glob that matches folders searches these. What lies in or is a hidden entry below the fixed part of the pattern is
    passed over: `_delta_log/`, `_SUCCESS`.
    """
    base = Path(pattern).expanduser()
    if base.is_file():
        return [base]
    if base.is_dir():
        found, fixed = set(base.rglob("*.parquet")), base
    else:
        named = [Path(name) for name in glob.iglob(str(base), recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
        # `**` names files and the folders they lie in: each file counts once.
        found = {file for path in named for file in (path.rglob("*.parquet") if path.is_dir() else [path])}
        fixed = next(parent for parent in base.parents if not glob.has_magic(str(parent)))
    visible = (path for path in found if not any(part.startswith(("_", ".")) for part in path.relative_to(fixed).parts))
    return sorted(path for path in visible if path.is_file())


def unreadable(found: Iterable[Source]) -> tuple[Path, str] | None:
    """The first file whose columns cannot be read to their end, and the first such column."""
    for source in found:
        for one in source.each():
            for column in one.columns:
                try:
                    one.scan(column).select(pl.all().count()).collect(engine="streaming")
                except pl.exceptions.PolarsError:
                    return one.paths[0], column
    return None


def _source(path: Path, required: tuple[str, ...], scratch: Path) -> tuple[Source, list[tuple[str, pl.DataType]]]:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
        rows, arrow = metadata.num_rows, metadata.schema.to_arrow_schema()
        if _has_unknown_zone(arrow):
            path = _readable(path, [name for name in required if name in arrow.names], scratch)
        schema = pl.read_parquet_schema(path)
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({type(error).__name__})", mend="remove it or write it again"
        ) from error
    missing = [name for name in required if name not in schema]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}", mend=f"it has {', '.join(schema)}; rename or add the column"
        )
    columns = {}
    for name in required:
        read = _timestamp if name == "event_timestamp" else _text
        expression = read(name, schema[name])
        if name == "user_id" and expression is not None:
            text = trimmed(expression)
            expression = pl.when(text != "").then(text)
        if expression is None:
            raise InputError(f"{path}: {name} is {schema[name]}", mend="write it as " + _WANTED[read is _timestamp])
        columns[name] = expression
    return Source((path,), rows, columns), list(schema.items())


def _has_unknown_zone(schema: pa.Schema) -> bool:
    # Polars panics over a zone that is not in the time zone database, in whatever column: Arrow writes +05:30 and Z.
    zones = {str(kind.tz) for kind in schema.types if hasattr(kind, "tz") and kind.tz}
    return not zones <= available_timezones()


def _readable(path: Path, columns: list[str], scratch: Path) -> Path:
    """A copy of a file that Polars can read, under a name by which a person knows the file."""
    number = sum(1 for _ in scratch.iterdir())
    target = scratch / f"{number:06d}-{path.name}"
    rewrite_in_utc(path, columns, target)
    return target


def _complete(path: Path) -> bool:
    """Whether the footer says that every row has a name and a usable time."""
    import pyarrow.parquet as pq

    meta = pq.read_metadata(path)
    leaves = {meta.schema.column(i).path: i for i in range(meta.num_columns)}
    for number in range(meta.num_row_groups):
        group = meta.row_group(number)
        name, when = (group.column(leaves[one]).statistics for one in ("event_name", "event_timestamp"))
        if name is None or when is None or not (name.has_null_count and when.has_null_count and when.has_min_max):
            return False
        bounded = isinstance(when.min, datetime) and isinstance(when.max, datetime)
        if name.null_count or when.null_count or not bounded:
            return False
    return True


_WANTED = {True: "a timestamp (text is not read as one: cast it first)", False: "a string or an integer"}


def _timestamp(name: str, dtype: pl.DataType) -> pl.Expr | None:
    column = pl.col(name)
    if dtype == UTC_TIMESTAMP:
        return column
    if isinstance(dtype, pl.Datetime):
        column = column.cast(pl.Datetime("us", dtype.time_zone))
        return column.dt.convert_time_zone("UTC") if dtype.time_zone else column.dt.replace_time_zone("UTC")
    if dtype == pl.Null:
        return column.cast(UTC_TIMESTAMP)
    return None


def _text(name: str, dtype: pl.DataType) -> pl.Expr | None:
    column = pl.col(name)
    if dtype == pl.String:
        return column
    if dtype.is_decimal():
        return column.cast(pl.String).str.replace(r"\.0*$", "")
    if dtype.is_integer() or dtype in (pl.Categorical, pl.Enum, pl.Null) or dtype == pl.Binary:
        return column.cast(pl.String)
    if dtype.is_float():
        column = pl.when(column.is_finite()).then(column)
        whole = pl.when(column == column.floor()).then(column.cast(pl.Int64, strict=False))
        return pl.coalesce(whole.cast(pl.String), column.cast(pl.String))
    return None
