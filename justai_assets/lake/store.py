"""The lake: Delta tables of every org, read by day and replaced by day.

A day is replaced in one commit or not at all. A commit lands on the very version it was made from: delta-rs would
otherwise put it on top of commits made meanwhile that it does not hold for conflicts, such as a compaction of the same
day, and the day would be there twice. Whoever comes later reads the table again and commits anew; the files it wrote
stay valid, because a day's content does not depend on the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from justai_assets.attempts import tried
from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, StorageError, TransientStorageError
from justai_assets.contract.tables import Table
from justai_assets.lake.delta_schema import columns_of_another_version, delta_schema
from justai_assets.lake.lake_format import FORMAT, FORMAT_KEY, check_format
from justai_assets.lake.open_tables import OpenTables
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.writer import DayWriter as DayWriter
from justai_assets.orgs.org_model import SLUG
from justai_assets.scratch import scratch_folder
from justai_assets.storage import Root, lasting_reason

COMMIT_ATTEMPTS = 12


@dataclass(frozen=True)
class Lake:
    """The tables below a lake root: `{root}/{slug}/{table}`."""

    root: Root

    @cached_property
    def _tables(self) -> OpenTables:
        return OpenTables(self.root)

    def key(self, slug: str, table: Table) -> str:
        """Path of a table below the root; StorageError for anything but a slug."""
        if not SLUG.fullmatch(slug):
            raise StorageError(f"{slug!r} is not an org slug")
        return f"{slug}/{table.name}"

    def uri(self, slug: str, table: Table) -> str:
        """Full address of a table."""
        return self.root.uri(self.key(slug, table))

    def open(self, slug: str, table: Table, version: int | None = None) -> DeltaTable | None:
        """The Delta table as it is now (or was at a version), or None when it was never written.

        Raises:
            StorageError: transient when the store is away; lasting when it refuses, or when the log is damaged or lacks
                the version, or another version of justai_assets wrote it in a way that this one does not know.
        """
        tables = self._tables
        opening = tables.newest if version is None else partial(tables.at, version=version)
        return self._opened(slug, table, opening)

    def open_to_change(self, slug: str, table: Table) -> DeltaTable | None:
        """The table as it is now, for the caller alone: what changes it changes nothing that others read."""
        return self._opened(slug, table, self._tables.anew)

    def _opened(self, slug: str, table: Table, opening: Callable[[str], DeltaTable | None]) -> DeltaTable | None:
        name = f"{slug}/{table.name}"
        try:
            found = opening(self.key(slug, table))
        except (DeltaError, OSError) as error:
            raise _verdict(f"{name} cannot be opened", error) from error
        if found is not None:
            check_format(name, found.metadata().configuration)
        return found

    def scan(self, slug: str, table: Table, days: Days | None = None, *, version: int | None = None) -> pl.LazyFrame:
        """The rows of a range of days (None: all), lazily, from one snapshot; only those days' files are read.

        A table that was never written is an empty one. An older version is readable until its files are vacuumed.
        """
        found = self.open(slug, table, version)
        if found is None:
            return pl.LazyFrame(schema=table.schema)
        frame = pl.scan_delta(found, storage_options=self.root.options or None, use_pyarrow=False)
        if days is not None:
            frame = frame.filter(pl.col(table.day_column).is_between(days.first, days.last))
        missing = [
            pl.lit(None, column.dtype).alias(column.name)
            for column in table.columns
            if column.name not in frame.collect_schema()
        ]
        return frame.with_columns(missing).select(table.schema.names())

    def columns_of_another_version(self, slug: str, table: Table) -> list[str]:
        """Columns that this version does not know, and another one, most likely newer, gave the table.

        They do not stand in the way of a rollback: `scan` leaves them out, and days that are replaced have no value
        there.
        """
        found = self.open(slug, table)
        return [] if found is None else columns_of_another_version(found, table)

    def counts(self, slug: str, table: Table, days: Days) -> dict[date, int]:
        """Rows of each day, from the log alone; 0 for a day without files."""
        counts = dict.fromkeys(days, 0)
        found = self.open(slug, table)
        if found is not None:
            actions = pl.DataFrame(found.get_add_actions(flatten=True))
            for day, rows in actions.select(f"partition.{table.day_column}", "num_records").iter_rows():
                if day in counts:
                    counts[day] += rows
        return counts

    @contextmanager
    def replacing(
        self,
        slug: str,
        table: Table,
        days: Days | None,
        *,
        partition: Mapping[str, str] | None = None,
        note: Mapping[str, str] | None = None,
        stamp: Stamp | None = None,
    ) -> Iterator[DayWriter]:
        """Replace days of a table: write them one by one inside the block; its end commits all, in one version.

        Args:
            slug: the org.
            table: the table.
            days: the days that the commit replaces, also those for which nothing is written; None is the partition of
                undated rows.
            partition: values of further partition columns; only these partitions are replaced.
            note: put into the commit's metadata (run id and the like; never a secret).
            stamp: by what the rows are made; put there too, and into the name of each file.

        An exception inside the block leaves the previous content and removes the files.
        """
        partition = partition or {}
        base = self.key(slug, table)
        with scratch_folder("lake") as spool:
            writer = DayWriter(table, days, partition, self.root, base, None if self.root.is_local else spool, stamp)
            try:
                yield writer
                self._commit(slug, writer, {**(note or {}), **(stamp.note if stamp else {})})
            except BaseException:
                # An interrupt or a lost answer may come after the commit was written. Files that the table names are
                # never removed: an orphan costs its bytes, a missing file the whole table.
                if not writer.is_maybe_committed:
                    writer.discard()
                raise

    def _commit(self, slug: str, writer: DayWriter, note: dict[str, str]) -> None:
        filters: list[tuple[str, str, str]] = [(name, "=", value) for name, value in writer.partition.items()]
        if writer.days is None:
            filters.append((writer.table.day_column, "=", ""))
        else:
            filters += [
                (writer.table.day_column, ">=", writer.days.first.isoformat()),
                (writer.table.day_column, "<=", writer.days.last.isoformat()),
            ]
        commit = partial(self._commit_once, slug, writer, filters, note)
        try:
            tried(commit, CommitFailedError, COMMIT_ATTEMPTS, first_wait=0.02, longest_wait=1.28)
        except CommitFailedError:
            raise TransientStorageError(
                f"{slug}/{writer.table.name}: {COMMIT_ATTEMPTS} commits in a row met another writer",
                mend="run it again, with fewer writers of this table at once",
            ) from None

    def _commit_once(
        self, slug: str, writer: DayWriter, filters: list[tuple[str, str, str]], note: dict[str, str]
    ) -> None:
        try:
            table = self._open_or_create(slug, writer.table)
            if writer.table.marks_empty_days and writer.days is not None:
                writer.empty(writer.days)
            elif writer.table.partition_by == (writer.table.day_column,):
                held = pl.DataFrame(table.get_add_actions(flatten=True))
                writer.empty(held[f"partition.{writer.table.day_column}"].drop_nulls().unique() if held.height else ())
            actions = list(writer.actions())
            writer.is_maybe_committed = True
            table.create_write_transaction(
                actions,
                "overwrite",
                table.schema(),
                partition_by=list(writer.table.partition_by),
                partition_filters=filters,
                commit_properties=CommitProperties(
                    custom_metadata={**note, "days": str(writer.days)},
                    max_commit_retries=0,
                ),
            )
        except (DeltaError, OSError) as error:
            # The store may have taken the commit and its answer was lost. Tried again inside, it then conflicts
            # with itself; made anew, it would remove the very files that it adds.
            if self._is_committed(slug, writer):
                return
            if isinstance(error, CommitFailedError):
                # Somebody else committed since the table was opened: the files stand, the commit is made anew.
                writer.is_maybe_committed = False
            raise

    def _is_committed(self, slug: str, writer: DayWriter) -> bool:
        """Whether the table names the writer's files. A commit of no files adds none, and may be made twice."""
        found = self.open(slug, writer.table) if writer.names else None
        if found is None:
            return False
        paths = pl.DataFrame(found.get_add_actions(flatten=True))["path"]
        return writer.names <= {path.rpartition("/")[2] for path in paths}

    def ensure(self, slug: str, table: Table) -> None:
        """Make a table that does not exist yet, and add columns that it lacks, for a writer other than `replacing`.

        Raises:
            ContractError: a column has another type than the contract's.
        """
        self._open_or_create(slug, table)

    def _open_or_create(self, slug: str, table: Table) -> DeltaTable:
        found = self.open(slug, table)
        wanted = delta_schema(table)
        if found is None:
            if self.root.is_local:
                Path(self.uri(slug, table)).mkdir(parents=True, exist_ok=True)
            # Two first writers may both try: "ignore" lets the later one open what the earlier one made.
            return DeltaTable.create(
                self.uri(slug, table),
                wanted,
                mode="ignore",
                partition_by=list(table.partition_by),
                name=f"{slug}.{table.name}",
                description=table.doc,
                storage_options=self.root.options or None,
                configuration={FORMAT_KEY: str(FORMAT)},
                raise_if_key_not_exists=False,
            )
        have = {one.name: one.type for one in found.schema().fields}
        changed = [one.name for one in wanted.fields if one.name in have and have[one.name] != one.type]
        if changed:
            raise ContractError(
                f"{slug}/{table.name}: the table's type of {', '.join(changed)} is not the contract's",
                mend="write the org's days into a new lake root, then switch to it",
            )
        added = [one for one in wanted.fields if one.name not in have]
        if added:
            changing = self.open_to_change(slug, table)
            if changing is not None:
                changing.alter.add_columns(added)
            found = self.open(slug, table) or found
        return found


_STORE_AWAY = re.compile(r"Generic S3 error|HTTP error|error sending request|timed out")


def _verdict(doing: str, error: DeltaError | OSError) -> StorageError:
    """Whether opening a table may succeed later: what the store answers may pass, what the log says does not."""
    if lasting := lasting_reason(error):
        why, mend = lasting
        return StorageError(f"{doing}: {why}", mend=mend)
    if isinstance(error, OSError) or _STORE_AWAY.search(str(error)):
        return TransientStorageError(f"{doing}: the store does not answer as it should", mend="it is retried")
    return StorageError(
        f"{doing}: its log is damaged, or lacks the version asked for ({type(error).__name__})",
        mend="restore its _delta_log, or move the table away and rebuild its days",
    )
