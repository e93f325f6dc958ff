"""The decoder's process: foreign Parquet in, a file of our own making out. See `decoder` for why it is one apart.

Reads one request a line from stdin, as JSON, and answers each with a line on stdout. It imports the standard library
and pyarrow only, so that it starts in a quarter of a second.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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

Answer = dict[str, Any]


class DamagedError(Exception):
    """Something in the file cannot be read."""


class _WithoutPandas(MetaPathFinder):
    """Says that there is no pandas: pyarrow would import it at the first value, for three quarters of a second."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Raise for pandas, and leave the rest to others."""
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
        _allow(Path(request["path"]))
        try:
            answer = decode(**request)
        except DamagedError:
            answer = {"code": "unreadable_file"}
        except OSError as error:
            answer = {"error": [error.errno, error.strerror or type(error).__name__]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _allow(path: Path) -> None:
    """Limit the processor time of the next file: a damaged one may send a decoder round in circles."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with contextlib.suppress(OSError, ValueError):
        seconds = used.ru_utime + used.ru_stime + _PATIENCE + path.stat().st_size / _BYTES_PER_SECOND
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), resource.getrlimit(resource.RLIMIT_CPU)[1]))


def decode(path: str, kinds: dict[str, str], known: list[str], target: str, *, may_lack: bool = False) -> Answer:
    """Write the wanted columns of a file to `target`, typed, as uncompressed Arrow IPC.

    Args:
        path: the foreign file.
        kinds: lower-case column → `time`, `date` or `text`; none reads the footer only.
        known: columns that are known but not read.
        target: where to write; nothing is written of a file that is refused by its footer.
        may_lack: whether a column may be absent; it is then not written.

    Returns:
        `rows`, `extra` and `lacking`; `bad`, the undecodable values by column; `code` and `column` of a refused file.
    """
    with _reading():
        reader = pq.ParquetFile(path, coerce_int96_timestamp_unit="us", pre_buffer=False)
        rows, fields, leaves = _footer(reader)
    chosen = {column: found for column in kinds if (found := _find(column, fields)) is not None}
    extra = [
        name
        for position, name in enumerate(fields.names)
        if position not in chosen.values() and (name.lower() not in known or name.lower() in kinds)
    ]
    lacking = [column for column in kinds if column not in chosen]
    answer: Answer = {"rows": rows, "extra": sorted(extra), "lacking": lacking}
    if lacking and not may_lack:
        return {**answer, "code": "missing_column", "column": ", ".join(lacking)}
    for column, position in chosen.items():
        if not parquet_columns.can_read(fields.field(position), kinds[column]):
            return {**answer, "code": "wrong_type", "column": column}
    if kinds:
        chosen_kinds = {column: kinds[column] for column in chosen}
        bad = _write(reader, path, chosen, chosen_kinds, leaves, rows, target)
        answer["bad"] = dict(bad)
    return answer


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    # pyarrow says OSError of a damaged page as well as of a full disk: only what reading raises is the file's fault.
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise DamagedError from error


def _footer(reader: pq.ParquetFile) -> tuple[int, pa.Schema, dict[str, tuple[str, str]]]:
    """Rows, columns, and by leaf its physical and logical type."""
    metadata = reader.metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(groups) or any(count < 0 for count in groups):
        raise ValueError("the footer contradicts itself")
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    leaves = {column.path: (column.physical_type, column.logical_type.type) for column in reversed(columns)}
    return metadata.num_rows, reader.schema_arrow, leaves


def _find(column: str, fields: pa.Schema) -> int | None:
    """The position of a column: of the exact name, else of the first that differs in case only."""
    if exact := fields.get_all_field_indices(column):
        return int(exact[0])
    return next((position for position, name in enumerate(fields.names) if name.lower() == column), None)


def _write(
    reader: pq.ParquetFile,
    path: str,
    chosen: dict[str, int],
    kinds: dict[str, str],
    leaves: dict[str, tuple[str, str]],
    rows: int,
    target: str,
) -> Counter[str]:
    fields = reader.schema_arrow
    names = {column: fields.names[position] for column, position in chosen.items()}
    wrapping = [name for column, name in names.items() if leaves.get(name, ("", ""))[0] == "INT96"]
    schema = pa.schema([*(pa.field(column, TARGETS[kinds[column]]) for column in chosen), pa.field(BAD, pa.uint8())])
    bad: Counter[str] = Counter()
    written = 0
    with (
        pa.OSFile(target, "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
        # One batch is judged and written while the next is decoded.
        ThreadPoolExecutor(1) as pool,
    ):

        def finish(batch: pa.RecordBatch, judged: pa.RecordBatch | None) -> None:
            with _reading():
                made = _typed(batch, judged, names, kinds, leaves, bad)
            writer.write_batch(pa.record_batch(made, schema=schema))

        before: Future[None] | None = None
        for batch, judged in _batches(reader, path, list(names.values()), wrapping):
            if before is not None:
                before.result()
            before = pool.submit(finish, batch, judged)
            written += batch.num_rows
        if before is not None:
            before.result()
    if written != rows:
        raise DamagedError
    return bad


def _batches(
    reader: pq.ParquetFile, path: str, names: list[str], wrapping: list[str]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
    """Batches of the columns, each with its INT96 columns in milliseconds."""
    with _reading():
        batches = reader.iter_batches(_BATCH_ROWS, columns=names)
        judged = iter(())
        if wrapping:
            again = pq.ParquetFile(path, coerce_int96_timestamp_unit="ms", pre_buffer=False)
            judged = again.iter_batches(_BATCH_ROWS, columns=wrapping)
    while True:
        with _reading():
            batch = next(batches, None)
            beside = next(judged, None)
            if batch is not None and beside is not None and len(beside) != len(batch):
                raise ValueError("two passes over a file differ")
        if batch is None:
            return
        yield batch, beside


def _typed(
    batch: pa.RecordBatch,
    judged: pa.RecordBatch | None,
    names: dict[str, str],
    kinds: dict[str, str],
    leaves: dict[str, tuple[str, str]],
    bad: Counter[str],
) -> list[pa.Array]:
    arrays: list[pa.Array] = []
    flags: pa.Array | None = None
    for column, name in names.items():
        found = batch.column(batch.schema.get_all_field_indices(name)[0])
        if kinds[column] == "time":
            at = judged.schema.get_all_field_indices(name) if judged is not None else []
            arrays.append(parquet_columns.moments(found, judged.column(at[0]) if judged is not None and at else None))
        elif kinds[column] == "date":
            arrays.append(parquet_columns.days(found))
        else:
            text, wrong = parquet_columns.texts(found, is_uuid=leaves.get(name, ("", ""))[1] == "UUID")
            arrays.append(text)
            if wrong is not None:
                bad[column] += wrong.true_count
                flags = wrong if flags is None else pc.or_(flags, wrong)
    marks = pa.repeat(pa.scalar(0, pa.uint8()), len(batch)) if flags is None else flags.cast(pa.uint8())
    return [*arrays, marks]
