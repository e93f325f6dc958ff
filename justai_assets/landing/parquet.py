"""A Parquet file that somebody else wrote, as the contract's columns: by name, times in UTC, ids as text.

Accepts what Redshift and Spark write: the partition column in the file or not, columns in any order and case, extra
columns of any type, INT96 or INT64 timestamps, naive (UTC by contract) or zoned ones, ids as integers. Decoding happens
in a process of its own (`decoder`); what is read here is always a file of our own making.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.foreign_names import safe_columns
from justai_assets.landing import decoder

ROW = "source_row"
UNDECODABLE = "_undecodable"
"""Column: whether a text of the row is not UTF-8; that text is null."""

NOT_TEXT = "invalid_utf8"
"""The reason against such a row."""


class DropFileError(JustAIError):
    """A dropped file that cannot be read as the contract says.

    Attributes:
        code: the quarantine reason.
        column: the column at fault, or several with commas, or "".
        rows: rows in the file, where the footer could be read; else 1.
        extra: columns beyond the contract, as they may be shown, where the footer could be read.
    """

    def __init__(self, code: str, name: str, column: str = "", rows: int = 1, extra: tuple[str, ...] = ()) -> None:
        super().__init__(f"{name}: {code}{f' {column}' if column else ''}")
        self.code = code
        self.column = column
        self.rows = max(rows, 1)
        self.extra = extra


@dataclass(frozen=True)
class DropFile:
    """A file that was read to its end, as a file of our own.

    Attributes:
        path: the decoded columns, as Arrow IPC or Parquet.
        rows: rows in it.
        columns: the contract's columns that it has.
        extra: its columns beyond the contract, as they may be shown.
        undecodable: column → values that are not UTF-8.
    """

    path: Path
    rows: int
    columns: tuple[str, ...]
    extra: tuple[str, ...]
    undecodable: Mapping[str, int] = field(default_factory=dict)

    def scan(self) -> pl.LazyFrame:
        """`source_row`, the columns, typed, and UNDECODABLE. Values that no type of ours can hold are null."""
        scanned = pl.scan_ipc(self.path, row_index_name=ROW, glob=False, hive_partitioning=False)
        return scanned.select(pl.col(ROW).cast(pl.Int64), *self.columns, pl.col(UNDECODABLE).cast(pl.Boolean))


def decoded(
    path: Path,
    name: str,
    kinds: Mapping[str, str],
    target: Path,
    *,
    known: Iterable[str] = (),
    optional: Iterable[str] = (),
    spoiled: str = "",
) -> DropFile:
    """Read the contract's columns of a file to their end.

    Args:
        path: the file.
        name: what to call it in an error.
        kinds: column, in lower case → `time`, `date`, `text` or `number`.
        target: where to put them, as Parquet if it is called so, else as Arrow IPC, which is faster; it must outlive
            what is made of it.
        known: columns that are known and not read (the partition column).
        optional: columns that may be absent.
        spoiled: a text column that is null in rows of which any text is not UTF-8.

    Raises:
        DropFileError: `unreadable_file` (with its rows where the footer tells them), `missing_column` or `wrong_type`.
        OSError: the folder of `target` is full or absent.
    """
    answer = _answer(path, name, kinds, known, target, optional=list(optional), spoiled=spoiled)
    columns = tuple(column for column in kinds if column not in answer["lacking"])
    return DropFile(target, answer["rows"], columns, safe_columns(answer["extra"]), answer.get("bad", {}))


def rows_in(path: Path, name: str) -> int:
    """The rows of a file, from its footer. Raises DropFileError: `unreadable_file`."""
    return footer(path, name).rows


@dataclass(frozen=True)
class Footer:
    """What a file's footer says.

    Attributes:
        rows: rows.
        columns: the names of its columns, not fit to be shown: see `safe_columns`.
        is_plain: whether polars may be given the file itself, as far as its types go.
    """

    rows: int
    columns: tuple[str, ...]
    is_plain: bool


def footer(path: Path, name: str) -> Footer:
    """A file's footer. Raises DropFileError: `unreadable_file`."""
    answer = _answer(path, name, {}, (), None, optional=[])
    return Footer(answer["rows"], tuple(name for _, name in answer["extra"]), answer["is_plain"])


def _answer(
    path: Path, name: str, kinds: Mapping[str, str], known: Iterable[str], target: Path | None, **how: Any
) -> dict[str, Any]:
    request = {"path": str(path), "kinds": dict(kinds), "known": list(known), "target": str(target or ""), **how}
    try:
        answer = decoder.ask(request)
    except decoder.DecoderDiedError:
        answer = {"code": "unreadable_file"}
    if answer.get("code") == "unreadable_file" and kinds and "rows" not in answer:
        # The footer may be sound where a page is not: the file's rows are then all counted.
        raise DropFileError("unreadable_file", name, rows=_rows_or_one(path))
    if "code" in answer:
        rows, extra = answer.get("rows", 1), safe_columns(answer.get("extra", ()))
        raise DropFileError(answer["code"], name, answer.get("column", ""), rows, extra)
    return answer


def _rows_or_one(path: Path) -> int:
    try:
        return rows_in(path, path.name)
    except DropFileError:
        return 1
