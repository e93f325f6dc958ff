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
        extra: columns beyond the contract, where the footer could be read.
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
        path: the decoded columns, as Arrow IPC.
        rows: rows in it.
        columns: the contract's columns that it has.
        extra: its columns beyond the contract.
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
    may_lack: bool = False,
) -> DropFile:
    """Read the contract's columns of a file to their end.

    Args:
        path: the file.
        name: what to call it in an error.
        kinds: column, in lower case → `time`, `date` or `text`.
        target: where to put them; it must outlive what is made of it.
        known: columns that are known and not read (the partition column).
        may_lack: whether columns may be absent.

    Raises:
        DropFileError: `unreadable_file` (with its rows where the footer tells them), `missing_column` or `wrong_type`.
        OSError: the folder of `target` is full or absent.
    """
    answer = _answer(path, name, kinds, known, target, may_lack=may_lack)
    columns = tuple(column for column in kinds if column not in answer["lacking"])
    return DropFile(target, answer["rows"], columns, tuple(answer["extra"]), answer.get("bad", {}))


def rows_in(path: Path, name: str) -> int:
    """The rows of a file, from its footer. Raises DropFileError: `unreadable_file`."""
    return int(_answer(path, name, {}, (), None, may_lack=False)["rows"])


def columns_of(path: Path, name: str) -> tuple[str, ...]:
    """The names of a file's columns, from its footer. Raises DropFileError: `unreadable_file`."""
    return tuple(_answer(path, name, {}, (), None, may_lack=False)["extra"])


def _answer(
    path: Path, name: str, kinds: Mapping[str, str], known: Iterable[str], target: Path | None, *, may_lack: bool
) -> dict[str, Any]:
    try:
        answer = decoder.ask(path, dict(kinds), list(known), target, may_lack=may_lack)
    except decoder.DecoderDiedError:
        answer = {"code": "unreadable_file"}
    if answer.get("code") == "unreadable_file" and kinds and "rows" not in answer:
        # The footer may be sound where a page is not: the file's rows are then all counted.
        raise DropFileError("unreadable_file", name, rows=_rows_or_one(path))
    if "code" in answer:
        rows, extra = answer.get("rows", 1), tuple(answer.get("extra", ()))
        raise DropFileError(answer["code"], name, answer.get("column", ""), rows, extra)
    return answer


def _rows_or_one(path: Path) -> int:
    try:
        return rows_in(path, path.name)
    except DropFileError:
        return 1
