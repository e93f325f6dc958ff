"""Upkeep of a Delta table: small files merged day by day, and files that nothing refers to removed.

Neither changes a row. Both may run beside `Lake.replacing`: like a writer, a compaction commits on the very version it
was made from, so that of two commits from one snapshot the later one fails and is made anew, whichever of them it is.
A day replaced while it was being merged keeps its new content; the merge begins again from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from justai_assets.attempts import tried
from justai_assets.contract.errors import JustAIError, StorageError, TransientStorageError
from justai_assets.contract.tables import Table
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.delta_log import replaced_names
from justai_assets.lake.store import Lake

TARGET_BYTES = 256 << 20
"""Files are merged up to this: in the middle of the 128 to 512 MB that scan well."""

MIN_RETENTION_DAYS = 7
"""No run takes so long; a file that is referred to by no version younger than this is nobody's."""

SUPERSEDED = timedelta(minutes=20)
"""How long a replaced file of a current day is kept for those who read it. A day that is replaced every quarter of an
hour then lies there three times at most."""

ATTEMPTS = 5


@dataclass(frozen=True)
class Merged:
    """What a compaction did.

    Attributes:
        days: days whose files were merged.
        files_before: files of these days before.
        files_after: and after.
        skipped: days that a writer replaced at every attempt; the next round takes them.
    """

    days: int = 0
    files_before: int = 0
    files_after: int = 0
    skipped: tuple[date, ...] = ()


def mergeable_days(lake: Lake, slug: str, table: Table, target: int = TARGET_BYTES) -> list[date]:
    """Days with two files or more, in one partition, that would fit into one of the target size."""
    found = lake.open(slug, table)
    if found is None:
        return []
    log = pl.DataFrame(found.get_add_actions(flatten=True))
    keys = [f"partition.{name}" for name in table.partition_by]
    day = f"partition.{table.day_column}"
    small = log.filter(pl.col("size_bytes") < target, pl.col(day).is_not_null())
    # The two smallest decide: if they do not fit together, no two do.
    pairs = small.group_by(keys).agg(pl.col("size_bytes").bottom_k(2).sum().alias("pair"), pl.len().alias("files"))
    days = pairs.filter((pl.col("files") > 1) & (pl.col("pair") <= target))[day]
    # A merged file no longer tells when the rows were written: what a run left half done has to stay to be seen.
    return sorted(set(days) - BuiltDays.of(lake, slug, table).torn)


def compact(lake: Lake, slug: str, table: Table, target: int = TARGET_BYTES) -> Merged:
    """Merge the small files of each day, one commit a day.

    Args:
        lake: the lake.
        slug: the org.
        table: the table; one that was never written is left alone.
        target: bytes of a merged file.

    A commit a day, because a writer of any day makes it anew: little work is lost, and nobody waits long. Rows keep
    their values; the commits are marked as no change of data.

    Raises:
        TransientStorageError: the table cannot be read or written. Days merged before stay merged.
    """
    totals: Counter[str] = Counter()
    skipped: list[date] = []
    for day in mergeable_days(lake, slug, table, target):
        metrics = _compact_day(lake, slug, table, day, target)
        if metrics is None:
            skipped.append(day)
        elif metrics["numFilesRemoved"]:
            totals.update(days=1, before=int(metrics["numFilesRemoved"]), after=int(metrics["numFilesAdded"]))
    return Merged(totals["days"], totals["before"], totals["after"], tuple(skipped))


def _compact_day(lake: Lake, slug: str, table: Table, day: date, target: int) -> dict[str, int] | None:
    def compact() -> dict[str, int]:
        found = _open(lake, slug, table)
        try:
            return found.optimize.compact(
                partition_filters=[(table.day_column, "=", day.isoformat())],
                target_size=target,
                writer_properties=WriterProperties(compression="ZSTD"),
                commit_properties=CommitProperties(
                    custom_metadata={"days": str(day)},
                    # No retry inside delta-rs: it would put the merged files on top of a day replaced meanwhile.
                    max_commit_retries=0,
                ),
            )
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            raise TransientStorageError(
                f"{slug}/{table.name}, {day}: merging files failed: {type(error).__name__}", mend="it is retried"
            ) from error

    try:
        return tried(compact, CommitFailedError, ATTEMPTS, first_wait=0.05, longest_wait=0.8)
    except CommitFailedError:
        return None


def remove_unreferenced(lake: Lake, slug: str, table: Table, retention_days: int = MIN_RETENTION_DAYS) -> list[str]:
    """Delete files that no version younger than the retention refers to; returns their paths below the table.

    These are files of replaced days, of merged files, and of runs that were killed before they could commit or tidy
    up. A file younger than the retention is never touched: it may be a running writer's.

    Raises:
        JustAIError: a retention under seven days.
        TransientStorageError: the table cannot be read or written.
    """
    if retention_days < MIN_RETENTION_DAYS:
        raise JustAIError(
            f"a retention of {retention_days} days could delete files that a running query or writer needs",
            code="short_retention",
            mend=f"give {MIN_RETENTION_DAYS} or more",
        )
    if lake.open(slug, table) is None:
        return []
    found = _open(lake, slug, table)
    try:
        # full: also what no log ever mentioned, which is what a killed run leaves.
        return list(found.vacuum(retention_hours=retention_days * 24, dry_run=False, full=True))
    except (DeltaError, OSError) as error:
        raise TransientStorageError(
            f"{slug}/{table.name}: removing files failed: {type(error).__name__}", mend="it is retried"
        ) from error


def remove_superseded(
    lake: Lake, slug: str, table: Table, days: Sequence[date], *, now: datetime, keep: timedelta = SUPERSEDED
) -> int:
    """Delete files of some days that were replaced some time ago; how many.

    For the current days, which are replaced several times an hour: `remove_unreferenced` keeps a week of such files,
    hundreds of times the day. Whoever reads a version for longer than that after it was replaced fails on these days
    and reads again. A storage that does not answer keeps its files until the next time.

    Args:
        lake: the lake.
        slug: the org.
        table: the table.
        days: the days. Of all others, a long run may still read an old version.
        now: the current time.
        keep: how long ago a file was replaced at least.
    """
    before = (now - keep).timestamp() * 1000
    base = lake.key(slug, table)
    try:
        # What a run that is under way has written is in no commit yet, and so was not replaced either.
        old = {f"{base}/{unquote(path)}" for path, at in replaced_names(lake, slug, table).items() if at <= before}
        there = (found.key for day in days for found in lake.root.list(f"{base}/{table.day_column}={day}"))
        doomed = [key for key in there if key in old] if old else []
        lake.root.delete(*doomed)
    except (OSError, StorageError):
        return 0
    return len(doomed)


def _open(lake: Lake, slug: str, table: Table) -> DeltaTable:
    found = lake.open_to_change(slug, table)
    if found is None:
        raise TransientStorageError(f"{slug}/{table.name} is gone", mend="check the lake root")
    return found
