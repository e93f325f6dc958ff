"""A table's live files, read from its Delta log alone: which they are, of which day, and when they were written.

Opening the table reads the schema and every file's statistics too, and costs ten times as much. What is not plain here
(deletion vectors, column mapping, a checkpoint in parts, a gap, damage) is left to delta-rs, and so are its errors.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import polars as pl

from justai_assets.contract.tables import Table
from justai_assets.lake.lake_format import check_format
from justai_assets.lake.store import Lake
from justai_assets.storage import Root

READS_AT_ONCE: Final = 8
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


class LiveFile(msgspec.Struct, frozen=True, gc=False):
    """One file of a table's newest version.

    Attributes:
        path: as the log has it, below the table.
        modified: when it was written, in milliseconds since 1970.
        partition: values of the partition columns; None or "" where there is none.
    """

    path: str
    modified: int = msgspec.field(name="modificationTime")
    partition: dict[str, str | None] = msgspec.field(name="partitionValues")


class _Remove(msgspec.Struct):
    path: str
    deletionTimestamp: int | None = None  # noqa: N815 - Delta's name


class _Protocol(msgspec.Struct):
    minReaderVersion: int  # noqa: N815 - Delta's name


class _Metadata(msgspec.Struct):
    configuration: dict[str, str | None] = {}


class _Action(msgspec.Struct):
    add: LiveFile | None = None
    remove: _Remove | None = None
    protocol: _Protocol | None = None
    metaData: _Metadata | None = None  # noqa: N815 - Delta's name


_DECODER: Final = msgspec.json.Decoder(_Action)


class _UnusualError(Exception):
    """The log holds what this module does not read."""


_NOT_PLAIN: Final = (_UnusualError, FileNotFoundError, msgspec.MsgspecError, pl.exceptions.PolarsError)


def live_names(lake: Lake, slug: str, table: Table) -> list[LiveFile]:
    """The files that a table consists of now; none for a table that was never written. The log is read anew each time.

    Raises:
        StorageError: see `Lake.open`.
    """
    key = lake.key(slug, table)
    try:
        found = _Log.of(lake.root, f"{key}/_delta_log")
    except _NOT_PLAIN:
        return names_of_opened(lake, slug, table)
    check_format(key, found.properties)
    return list(found.files.values())


def replaced_names(lake: Lake, slug: str, table: Table) -> dict[str, int]:
    """Files that the table no longer consists of, and when each was replaced, in milliseconds since 1970.

    Whether they still lie there the log does not say. Of a log that is not plain, none.
    """
    try:
        found = _Log.of(lake.root, f"{lake.key(slug, table)}/_delta_log", with_replaced=True)
    except _NOT_PLAIN:
        return {}
    return {path: at for path, at in found.replaced.items() if path not in found.files}


def names_of_opened(lake: Lake, slug: str, table: Table) -> list[LiveFile]:
    """The same as `live_names`, by delta-rs: for who opens the table anyway, so that its log is read once."""
    opened = lake.open(slug, table)
    if opened is None:
        return []
    names = table.partition_by
    log = pl.DataFrame(opened.get_add_actions(flatten=True)).select(
        "path",
        pl.col("modification_time").cast(pl.Int64),
        *(pl.col(f"partition.{name}").cast(pl.String) for name in names),
    )
    return [LiveFile(path, at, dict(zip(names, values, strict=True))) for path, at, *values in log.iter_rows()]


@dataclass
class _Log:
    """The newest version that a listing of the log shows."""

    files: dict[str, LiveFile] = field(default_factory=dict)
    replaced: dict[str, int] = field(default_factory=dict)
    properties: dict[str, str | None] = field(default_factory=dict)
    reader: int | None = None

    @classmethod
    def of(cls, root: Root, log: str, *, with_replaced: bool = False) -> _Log:
        found = cls()
        names = _names(root, log)
        if not names:
            return found
        commits = {int(match[1]): name for name in names if (match := _COMMIT.fullmatch(name))}
        checkpoints = {int(match[1]): name for name in names if (match := _CHECKPOINT.fullmatch(name))}
        base = max(checkpoints, default=-1)
        versions = range(base + 1, max(commits, default=-1) + 1)
        is_whole = all(version in commits for version in versions) and (checkpoints or versions)
        if not is_whole or sum(".checkpoint." in name for name in names) != len(checkpoints):
            raise _UnusualError
        wanted = [*([checkpoints[base]] if checkpoints else []), *(commits[version] for version in versions)]
        contents = _read(root, log, wanted)
        if checkpoints:
            first = next(contents)
            found._start(first)
            if with_replaced:
                found._start_replaced(first)
        for content in contents:
            found._apply(content)
        if found.reader != 1:
            raise _UnusualError
        return found

    def _start(self, checkpoint: bytes) -> None:
        add, protocol, metadata = (pl.col(name).struct for name in ("add", "protocol", "metaData"))
        wanted = pl.scan_parquet(io.BytesIO(checkpoint)).select(
            add.field("path"),
            add.field("modificationTime"),
            add.field("partitionValues"),
            protocol.field("minReaderVersion"),
            metadata.field("configuration"),
        )
        paths, times, partitions, readers, properties = (column.to_list() for column in wanted.collect())
        for reader, said in zip(readers, properties, strict=True):
            self.reader = reader if reader is not None else self.reader
            self.properties = said if said is not None else self.properties
        columns = zip(paths, times, partitions, strict=True)
        self.files = {path: LiveFile(path, at, values) for path, at, values in columns if path is not None}

    def _start_replaced(self, checkpoint: bytes) -> None:
        remove = pl.col("remove").struct
        wanted = pl.scan_parquet(io.BytesIO(checkpoint)).select(remove.field("path"), remove.field("deletionTimestamp"))
        self.replaced = {path: at for path, at in wanted.collect().iter_rows() if path is not None and at is not None}

    def _apply(self, commit: bytes) -> None:
        actions = _DECODER.decode_lines(commit)
        added = {one.add.path: one.add for one in actions if one.add is not None}
        removed = {one.remove.path: one.remove.deletionTimestamp for one in actions if one.remove is not None}
        # Actions of one commit have no order; and one without any was torn.
        if not actions or added.keys() & removed.keys():
            raise _UnusualError
        for path in removed:
            self.files.pop(path, None)
        self.files.update(added)
        self.replaced.update({path: at for path, at in removed.items() if at is not None})
        for one in actions:
            if one.protocol is not None:
                self.reader = one.protocol.minReaderVersion
            if one.metaData is not None:
                self.properties = one.metaData.configuration


def _names(root: Root, log: str) -> list[str]:
    """Names in the log, from its last checkpoint on where asking for those saves requests."""
    if root.is_local:
        try:
            return os.listdir(root.local(log))  # noqa: PTH208 - names, of up to some thousand commits
        except FileNotFoundError:
            return []
    try:
        version = msgspec.json.decode(root.read(f"{log}/_last_checkpoint"), type=dict[str, Any])["version"]
        after = f"{log}/{int(version):020}"
    except FileNotFoundError:
        after = None
    return [found.key.rpartition("/")[2] for found in root.list(log, after=after)]


def _read(root: Root, log: str, names: Sequence[str]) -> Iterator[bytes]:
    if root.is_local:
        folder = root.local(log)
        for name in names:
            # A Path for each of a hundred thousand commits takes longer than reading them.
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 - see above
                yield file.read()
        return
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="log") as pool:
        yield from pool.map(root.read, (f"{log}/{name}" for name in names))
