"""Anyone's Parquet, read as engagement or custom events: which files, which columns, and in which type."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.foreign_names import safe_columns
from justai_assets.contract.placeholders import trimmed
from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.landing import parquet

ENGAGEMENT_COLUMNS: Final = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "user_id")
CUSTOM_COLUMNS: Final = ("event_name", "event_timestamp", "user_id")

_FILES_AT_ONCE = 64
COMPLETE: Final = pl.col("event_name").is_not_null() & pl.col("event_timestamp").is_between(
    pl.lit(datetime(1, 1, 1), UTC_TIMESTAMP),  # noqa: DTZ001 - the type beside it carries UTC
    pl.lit(datetime.max, UTC_TIMESTAMP),  # noqa: DTZ901 - the type beside it carries UTC
).fill_null(value=False)
"""Whether a row has a name and a usable time: present, and in a year that a date can have."""


class InputError(JustAIError):
    """An input that cannot be read as events; the message names the file or the column."""

    code = "attribution_input"


@dataclass
class Copies:
    """Where copies of files go that polars cannot or must not be given as they are.

    Attributes:
        folder: a folder of our own.
        is_for_all: copy every file, whatever its footer says: one of them broke the first try.
        unreadable: files that cannot be read to their end; they are left out.
    """

    folder: Path
    is_for_all: bool = False
    unreadable: list[Path] = field(default_factory=list)


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
        rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        return cls((path,), rows, {name: pl.col(name) for name in pl.scan_parquet(path, glob=False).collect_schema()})

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


def sources(pattern: str, required: tuple[str, ...], copies: Copies) -> list[Source]:
    """The Parquet files that a path, a folder or a glob names, sorted by path, each checked by its footer.

    Hidden files (`_SUCCESS`, `.part.crc`) are passed over. Column order and further columns do not matter.
    Timestamps may be ns, µs or ms, with or without a zone (without: UTC; finer than µs is cut off). Ids may be
    integers, decimals, or floats that are whole because a column with nulls went through pandas; they become their
    digits, and what is no number is null. A user_id has no spaces around it, and one that is blank is none.

    Args:
        pattern: path, folder or glob.
        required: the columns.
        copies: for files that polars cannot read, with a type or a time zone that it does not know in any column; also
            notes the files that nothing can read.

    Raises:
        InputError: no file, no readable one, or a column that is absent or of a type that has no such reading.
    """
    found: list[Source] = []
    previous = None
    for path in expand(pattern):
        try:
            source, schema = _source(path, required, copies)
        except parquet.DropFileError as error:
            if error.code != "unreadable_file":
                raise _unusable(path, error) from None
            copies.unreadable.append(path)
            continue
        if schema == previous and len(found[-1].paths) < _FILES_AT_ONCE:
            # Neighbours of one schema are one scan: thousands of small files would otherwise be thousands of queries.
            before = found.pop()
            source = Source((*before.paths, *source.paths), before.rows + source.rows, source.columns)
        found.append(source)
        previous = schema
    if not found and copies.unreadable:
        raise InputError(f"{copies.unreadable[-1]} cannot be read as Parquet", mend="write it again")
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
        fixed = _literal(base)
        pattern = str(Path(glob.escape(str(fixed)), base.relative_to(fixed)))
        named = [Path(name) for name in glob.iglob(pattern, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
        # `**` names files and the folders they lie in: each file counts once.
        found = {file for path in named for file in (path.rglob("*.parquet") if path.is_dir() else [path])}
    visible = (path for path in found if not any(part.startswith(("_", ".")) for part in path.relative_to(fixed).parts))
    return sorted(path for path in visible if path.is_file())


def _literal(pattern: Path) -> Path:
    """The part of a glob that is a folder as it stands: brackets in the name of one that is there are no pattern."""
    return next((parent for parent in pattern.parents if parent.is_dir()), Path())


def _unusable(path: Path, error: parquet.DropFileError) -> InputError:
    wanted = _WANTED[error.column == "event_timestamp"]
    return InputError(f"{path}: {error.column} is of a type that is not read", mend=f"write it as {wanted}")


def _source(path: Path, required: tuple[str, ...], copies: Copies) -> tuple[Source, list[tuple[str, pl.DataType]]]:
    footer = parquet.footer(path, path.name)
    missing = [name for name in required if name not in footer.columns]
    if missing:
        shown = ", ".join(safe_columns(enumerate(footer.columns, start=1)))
        raise InputError(f"{path} lacks {', '.join(missing)}", mend=f"it has {shown}; rename or add the column")
    if copies.is_for_all or not footer.is_plain:
        path = _copy(path, required, copies.folder)
    schema = pl.scan_parquet(path, glob=False, hive_partitioning=False).collect_schema()
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
    return Source((path,), footer.rows, columns), list(schema.items())


def _copy(path: Path, required: tuple[str, ...], folder: Path) -> Path:
    """A copy of a file that polars can read, under a name by which a person knows the file."""
    number = sum(1 for _ in folder.iterdir())
    target = folder / f"{number:06d}-{path.stem}.parquet"
    kinds = {name: "time" if name == "event_timestamp" else "text" for name in required}
    # A row with a text that is none loses its name: it is left out, and counted with those that have none.
    return parquet.decoded(path, path.name, kinds, target, spoiled="event_name").path


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
        try:
            bounded = isinstance(when.min, datetime) and isinstance(when.max, datetime)
        except (OverflowError, ValueError):  # no year that a date can have
            return False
        if name.null_count or when.null_count or not bounded:
            return False
    return True


_CALENDAR_MS: Final = (-62_135_596_800_000, 253_402_300_799_999)
_WANTED = {True: "a timestamp (text is not read as one: cast it first)", False: "a string or an integer"}


def _timestamp(name: str, dtype: pl.DataType) -> pl.Expr | None:
    column = pl.col(name)
    if dtype == UTC_TIMESTAMP:
        return column
    if isinstance(dtype, pl.Datetime):
        if dtype.time_unit == "ms":
            # Beyond the calendar, milliseconds would wrap around into a real day.
            column = pl.when(column.to_physical().is_between(*_CALENDAR_MS)).then(column)
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
