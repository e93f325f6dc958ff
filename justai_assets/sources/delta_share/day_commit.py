"""One commit of days: every row accepted or rejected, and both counted against what the files hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa

from justai_assets.contract.days import Days
from justai_assets.contract.foreign_names import safe_key
from justai_assets.contract.tables import DELTA_SHARE, FATES, QUARANTINE, Table
from justai_assets.lake.ledger import ACCEPTED, DUPLICATE, QUARANTINED, RECEIVED, DayReport, Fate, fates_frame
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.store import DayWriter, Lake
from justai_assets.orgs.extra_columns import Kind, extra_of
from justai_assets.sources.delta_share.download import file_rows, source_name
from justai_assets.sources.delta_share.file_days import Day
from justai_assets.sources.delta_share.protocol import SharedFile, TableName
from justai_assets.sources.delta_share.share_day_files import Part
from justai_assets.sources.delta_share.share_errors import CorruptFileError
from justai_assets.sources.extra_values import faults
from justai_assets.sources.unified_rows import judged

SOURCE = "delta_share"
ASSET = DELTA_SHARE.name
_DAMAGED = (pl.exceptions.PolarsError, pa.ArrowException)
_AT_ONCE = 2
"""Files decoded at the same time."""


@dataclass(frozen=True)
class DaysInCommit:
    """The days of one commit: the mirror's rows (None: undated, nothing to write), the quarantine and the ledger.

    `table` is the mirror with its declared columns.
    """

    rows: DayWriter | None
    quarantine: DayWriter
    ledger: DayWriter
    table: Table

    def write(
        self,
        day: Day,
        parts: Sequence[Part],
        table: TableName,
        scratch: Path,
        lost: Iterable[tuple[SharedFile, str, int]] = (),
    ) -> DayReport:
        """Write one day; no parts empty it.

        `lost` are files of the day of which nothing can be read, with reason and rows: received, and quarantined whole.

        Raises:
            CorruptFileError: a file's rows cannot be read to the end. Its local copy is removed, so that the next run
                downloads it again.
        """
        received, written = 0, 0
        rejected: dict[str, int] = {}
        notes: tuple[str, ...] = ()
        if parts:
            with naming_damage(parts):
                received = sum(part.rows for part in parts)
                with rows_of(parts, day, table, scratch, extra_of(self.table)) as typed:
                    if self.rows is not None:
                        names = self.table.schema.names()
                        written = self.rows.write(day, typed.filter(pl.col("reason").is_null()).select(names))
                    if written != received:
                        rejected = self._reject(day, typed)
                        notes = tuple(f"{reason}: the column {column}" for reason, column in faults(typed))
        whole = list(lost)
        if whole:
            for _, reason, records in whole:
                received += records
                rejected[reason] = rejected.get(reason, 0) + records
            self.quarantine.write(day, _lost_rows(day, whole, table))
        if received != written + sum(rejected.values()):
            raise CorruptFileError(
                f"{day}: {received} rows in the footers, {written} written, {sum(rejected.values())} rejected",
                mend="run it again; the mirror keeps its last content",
            )
        fates = (
            Fate(day, SOURCE, RECEIVED, received),
            Fate(day, SOURCE, ACCEPTED, written),
            Fate(day, SOURCE, DUPLICATE, 0),
            *(Fate(day, SOURCE, QUARANTINED, records, reason) for reason, records in sorted(rejected.items())),
        )
        self.ledger.write(day, fates_frame(ASSET, fates))
        size = self.rows.bytes(day) if self.rows is not None else 0
        return DayReport(day, written, size, fates, notes, len(parts) + len(whole))

    def _reject(self, day: Day, typed: pl.LazyFrame) -> dict[str, int]:
        rows = typed.filter(pl.col("reason").is_not_null())
        self.quarantine.write(
            day,
            rows.select(
                pl.lit(day, pl.Date).alias("event_date"),
                pl.lit(ASSET).alias("asset"),
                pl.lit(SOURCE).alias("door"),
                "reason",
                "source_file",
                "source_row",
                pl.lit(None, pl.String).alias("record_id"),
                pl.lit(1, pl.Int64).alias("records"),
            ),
        )
        counted = rows.group_by("reason").len().collect(engine="streaming")
        return {reason: int(records) for reason, records in counted.iter_rows()}


def _lost_rows(day: Day, lost: Iterable[tuple[SharedFile, str, int]], table: TableName) -> pl.DataFrame:
    rows = [
        (day, ASSET, SOURCE, reason, source_name(str(table), file), None, None, records)
        for file, reason, records in lost
    ]
    names = ("event_date", "asset", "door", "reason", "source_file", "source_row", "record_id", "records")
    return pl.DataFrame(rows, schema={name: QUARANTINE.schema[name] for name in names}, orient="row")


@contextmanager
def days_in_commit(
    lake: Lake,
    slug: str,
    days: Days | None,
    note: Mapping[str, str],
    stamp: Stamp | None = None,
    table: Table = DELTA_SHARE,
) -> Iterator[DaysInCommit]:
    """Replace days of the mirror (`table`, with declared columns), and what quarantine and ledger say of them.

    The mirror commits first and the ledger last: it is the evidence that the rows are there. An exception inside the
    block leaves what was there.
    """
    partition = {"asset": ASSET}
    with ExitStack() as stack:
        ledger = stack.enter_context(lake.replacing(slug, FATES, days, partition=partition, note=note, stamp=stamp))
        quarantine = stack.enter_context(lake.replacing(slug, QUARANTINE, days, partition=partition, note=note))
        rows = (
            stack.enter_context(lake.replacing(slug, table, days, note=note, stamp=stamp)) if days is not None else None
        )
        yield DaysInCommit(rows, quarantine, ledger, table)


@contextmanager
def rows_of(
    parts: Sequence[Part], day: Day, table: TableName, scratch: Path, extra: Mapping[str, Kind]
) -> Iterator[pl.LazyFrame]:
    """The rows of a day, typed and each with its `reason`, with source_row and source_file; see `judged`.

    The files are decoded into `scratch`, and what they became is removed at the end.
    """
    files = [part for part in parts if not part.is_cut]
    with TemporaryDirectory(prefix="decoded-", dir=scratch) as folder, ThreadPoolExecutor(_AT_ONCE) as pool:

        def rows(number: int) -> pl.LazyFrame:
            part = files[number]
            found = file_rows(part.file, part.path, Path(folder) / f"{number}.arrow", extra=extra)
            return found.with_columns(source_file=pl.lit(source_name(str(table), part.file)))

        frames = list(pool.map(rows, range(len(files))))
        cuts = [part.path for part in parts if part.is_cut]
        if cuts:
            frames.append(pl.scan_parquet(cuts, hive_partitioning=False, glob=False))
        yield judged(pl.concat(frames), day, extra)


@contextmanager
def naming_damage(parts: Sequence[Part]) -> Iterator[None]:
    """A cut that cannot be read to its end, as CorruptFileError; it is removed, to be made anew."""
    try:
        yield
    except _DAMAGED as error:
        raise _blame(parts, error) from None


def _blame(parts: Iterable[Part], error: Exception) -> CorruptFileError:
    damaged = [part for part in parts if part.is_cut and not _is_sound(part.path)]
    for part in damaged:
        part.path.unlink(missing_ok=True)
    named = ", ".join(safe_key(part.file.id) for part in damaged) or f"none by itself ({type(error).__name__})"
    return CorruptFileError(
        f"the share's files cannot be read to their end: {named}",
        mend="run it again to download them anew; if it stays, ask the provider to rewrite them; "
        "the mirror keeps its last content",
    )


def _is_sound(path: Path) -> bool:
    try:
        pl.scan_parquet(path, hive_partitioning=False, glob=False).select(pl.all().hash().min()).collect(
            engine="streaming"
        )
    except _DAMAGED:
        return False
    return True
