"""The decoder's process: foreign Parquet in, a file of our own making out. See `decoder` for why it is one apart.

Reads one request a line from stdin, as JSON, and answers each with a line on stdout. It imports the standard library
and pyarrow only, so that it starts quickly; for envelopes (`envelope_files`) polars too, when the first ones come.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from justai_assets.landing import parquet_columns
from justai_assets.landing.parquet_columns import TARGETS

BAD: Final = "_undecodable"
"""Column of the written file: 1 in a row of which a text is not UTF-8."""

_BATCH_ROWS: Final = 1 << 16
_PATIENCE: Final = 60
_BYTES_PER_SECOND: Final = 1 << 20
"""Processor seconds that a file may take: a minute, and one more a megabyte. No sound file comes near it."""

_NONE: Final = ("", "")

Answer = dict[str, Any]


class DamagedError(Exception):
    """Something in the file cannot be read."""


class _WithoutPandas(MetaPathFinder):
    """Says that there is no pandas: pyarrow would import it at the first value, for three quarters of a second."""

    def find_spec(self, fullname: str, *_: Any) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def serve() -> None:
    """Answer requests until stdin ends."""
    sys.meta_path.insert(0, _WithoutPandas())
    # Should memory run out, this process goes, not the one that asked.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    pa.set_cpu_count(min(pa.cpu_count(), 4))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _parsed(request["envelopes"]) if "envelopes" in request else _decoded(request)
        except DamagedError:
            answer = {"code": "unreadable_file"}
        except OSError as error:
            answer = {"error": [error.errno, error.strerror or type(error).__name__]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _decoded(request: dict[str, Any]) -> Answer:
    _allow([request["path"]])
    return decode(**request)


def _parsed(request: dict[str, Any]) -> Answer:
    # Parquet alone does without polars.
    from justai_assets.landing.envelope_files import write_batches

    _allow([path for path, _ in request["files"]])
    return {"parts": write_batches(**request)}


def _allow(paths: Iterable[str]) -> None:
    # A damaged file may send a decoder round in circles.
    used = resource.getrusage(resource.RUSAGE_SELF)
    with contextlib.suppress(OSError, ValueError):
        size = sum(Path(path).stat().st_size for path in paths)
        seconds = used.ru_utime + used.ru_stime + _PATIENCE + size / _BYTES_PER_SECOND
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), resource.getrlimit(resource.RLIMIT_CPU)[1]))


def decode(
    path: str, kinds: dict[str, str], known: list[str], target: str, *, optional: list[str], spoiled: str = ""
) -> Answer:
    """Write the wanted columns of a file to `target`, typed: as Parquet if it is called so, else as Arrow IPC.

    Args:
        path: the foreign file.
        kinds: lower-case column → `time`, `date`, `text` or `number`; none reads the footer only.
        known: columns that are known but not read.
        target: where to write, "" for nowhere; nothing is written of a file that is refused by its footer.
        optional: columns that may be absent; they are then not written.
        spoiled: a text column that is null in rows of which any text is not UTF-8.

    Returns:
        `rows`, `extra` (position from 1, and name), `lacking` and `is_plain` (see `parquet_columns.is_plain`); `bad`,
        the undecodable values by column; `code` and `column` of a refused file.
    """
    with _reading():
        reader = _opened(path, "us")
        rows, fields, leaves = _footer(reader)
    chosen = {column: found for column in kinds if (found := _find(column, fields)) is not None}
    extra = [
        (position + 1, name)
        for position, name in enumerate(fields.names)
        if position not in chosen.values() and (name.lower() not in known or name.lower() in kinds)
    ]
    lacking = [column for column in kinds if column not in chosen]
    is_plain = parquet_columns.is_plain(fields, {fields.names[position] for position in chosen.values()})
    is_plain = is_plain and "INT96" not in {physical for physical, _ in leaves.values()}
    answer: Answer = {"rows": rows, "extra": extra, "lacking": lacking, "is_plain": is_plain}
    if missing := [column for column in lacking if column not in optional]:
        return {**answer, "code": "missing_column", "column": ", ".join(missing)}
    for column, position in chosen.items():
        is_interval = leaves.get(fields.names[position], _NONE)[1] == "INTERVAL"
        if is_interval or not parquet_columns.can_read(fields.field(position), kinds[column]):
            return {**answer, "code": "wrong_type", "column": column}
    if target:
        names = {column: fields.names[position] for column, position in chosen.items()}
        wanted = _Wanted(names, kinds, {name: leaves.get(name, _NONE) for name in names.values()}, spoiled)
        if _write(reader, path, wanted, target) != rows:
            raise DamagedError
        answer["bad"] = dict(wanted.bad)
    return answer


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    # pyarrow says OSError of a damaged page as well as of a full disk: only what reading raises is the file's fault.
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise DamagedError from error


def _opened(path: str, int96: str) -> pq.ParquetFile:
    return pq.ParquetFile(path, coerce_int96_timestamp_unit=int96, pre_buffer=False, page_checksum_verification=True)


def _footer(reader: pq.ParquetFile) -> tuple[int, pa.Schema, dict[str, tuple[str, str]]]:
    """Rows, columns, and by leaf its physical and logical type."""
    metadata = reader.metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(groups) or any(count < 0 for count in groups):
        raise ValueError("the footer contradicts itself")
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    leaves = {column.path: (column.physical_type, _logical(column)) for column in reversed(columns)}
    return metadata.num_rows, reader.schema_arrow, leaves


def _logical(column: pq.ColumnSchema) -> str:
    """The logical type; the older converted type where there is no other (INTERVAL)."""
    named = str(column.logical_type.type)
    return str(column.converted_type) if named in {"NONE", "UNKNOWN"} else named


def _find(column: str, fields: pa.Schema) -> int | None:
    """The position of a column: of the exact name, else of the first that differs in case only."""
    if exact := fields.get_all_field_indices(column):
        return int(exact[0])
    return next((position for position, name in enumerate(fields.names) if name.lower() == column), None)


@dataclass(frozen=True)
class _Wanted:
    """The columns to read, and how: column → its name in the file; its kind; the physical and logical type by name."""

    names: dict[str, str]
    kinds: dict[str, str]
    leaves: dict[str, tuple[str, str]]
    spoiled: str
    bad: Counter[str] = field(default_factory=Counter)

    @property
    def schema(self) -> pa.Schema:
        columns = [pa.field(column, TARGETS[self.kinds[column]]) for column in self.names]
        return pa.schema([*columns, pa.field(BAD, pa.uint8())])

    @property
    def wrapping(self) -> list[str]:
        return [name for name, (physical, _) in self.leaves.items() if physical == "INT96"]

    def typed(self, batch: pa.RecordBatch, milliseconds: pa.RecordBatch | None) -> pa.RecordBatch:
        made: dict[str, pa.Array] = {}
        flags: pa.Array | None = None
        for column, name in self.names.items():
            found = _first(batch, name)
            if self.kinds[column] == "time":
                made[column] = parquet_columns.moments(found, _first(milliseconds, name))
            elif self.kinds[column] == "date":
                made[column] = parquet_columns.days(found)
            elif self.kinds[column] == "number":
                made[column] = parquet_columns.numbers(found)
            else:
                is_uuid = self.leaves[name][1] == "UUID"
                made[column], wrong = parquet_columns.texts(found, is_uuid=is_uuid)
                if wrong is not None:
                    self.bad[column] += wrong.true_count
                    flags = wrong if flags is None else pc.or_(flags, wrong)
        if flags is not None and self.spoiled:
            made[self.spoiled] = pc.if_else(flags, pa.scalar(None, pa.string()), made[self.spoiled])
        marks = pa.repeat(pa.scalar(0, pa.uint8()), batch.num_rows) if flags is None else flags.cast(pa.uint8())
        return pa.record_batch([*made.values(), marks], schema=self.schema)


def _first(batch: pa.RecordBatch | None, name: str) -> pa.Array | None:
    found = [] if batch is None else batch.schema.get_all_field_indices(name)
    return batch.column(found[0]) if batch is not None and found else None


def _write(reader: pq.ParquetFile, path: str, wanted: _Wanted, target: str) -> int:
    """Write the columns; how many rows they have."""
    written = 0
    before: Future[None] | None = None
    with (
        pa.OSFile(target, "wb") as sink,
        _writer(sink, target, wanted.schema) as writer,
        # One batch is judged and written while the next is decoded.
        ThreadPoolExecutor(1) as pool,
    ):

        def finish(batch: pa.RecordBatch, milliseconds: pa.RecordBatch | None) -> None:
            with _reading():
                made = wanted.typed(batch, milliseconds)
            writer.write_batch(made)

        for batch, milliseconds in _batches(reader, path, wanted):
            if before is not None:
                before.result()
            before = pool.submit(finish, batch, milliseconds)
            written += batch.num_rows
        if before is not None:
            before.result()
    return written


def _writer(sink: pa.NativeFile, target: str, schema: pa.Schema) -> Any:
    if target.endswith(".parquet"):
        return pq.ParquetWriter(sink, schema, compression="lz4")
    return pa.ipc.new_file(sink, schema)


def _batches(
    reader: pq.ParquetFile, path: str, wanted: _Wanted
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
    """Batches of the columns, each with its INT96 columns in milliseconds."""
    judged: Iterator[pa.RecordBatch] = iter(())
    with _reading():
        batches = reader.iter_batches(_BATCH_ROWS, columns=list(wanted.names.values()))
        if wanted.wrapping:
            judged = _opened(path, "ms").iter_batches(_BATCH_ROWS, columns=wanted.wrapping)
    while True:
        with _reading():
            batch, beside = next(batches, None), next(judged, None)
            if batch is not None and beside is not None and len(beside) != len(batch):
                raise ValueError("two passes over a file differ")
        if batch is None:
            return
        yield batch, beside
