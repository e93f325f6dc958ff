"""One day of one door, taken in: every record received is accepted, a duplicate, or refused with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from justai_assets.contract.foreign_names import safe_key
from justai_assets.contract.tables import Table
from justai_assets.landing import parquet
from justai_assets.landing.drop_commits import committed
from justai_assets.landing.envelope_files import parse_envelopes
from justai_assets.landing.envelopes import LINE_NUMBER, REJECTED_SCHEMA
from justai_assets.landing.listing import LandedDay, list_day
from justai_assets.orgs.extra_columns import dtype_of, of_source
from justai_assets.orgs.org_model import Org
from justai_assets.scratch import scratch_folder
from justai_assets.sources.day_parts import Parts
from justai_assets.sources.extra_values import faults
from justai_assets.sources.pseudonym_keys import PLACEHOLDER, plain_person
from justai_assets.sources.registry import envelopes_of, source_named
from justai_assets.sources.source import EnvelopeReader, FileReader
from justai_assets.sources.undated_records import with_cause, without_copied
from justai_assets.storage import LandedObject, Root


@dataclass(frozen=True)
class Intake:
    """What a day of a door came to. The frames are valid inside `open_day` only.

    Attributes:
        received: records that lie in the day's folder, counted before they are parsed; a file that cannot be read, or
            is announced but absent, counts as one.
        accepted: rows of the table, each with no reason against it, duplicates removed.
        rejected: refused records and files (REJECTED_SCHEMA).
        duplicates: accepted records beyond the first of their id.
        landed: the objects.
        extra_columns: columns of drops that are neither the contract's nor declared, which are not read, and the
            records of the files that have them.
        marks: what a person should know of this day, in words.
        columns: reason → the columns, the contract's or declared ones, for which files or rows of a drop were refused.
        placeholders: field → accepted events that carry a placeholder in it, and the people their other ids name.
    """

    received: int
    accepted: pl.LazyFrame
    rejected: pl.LazyFrame
    duplicates: int
    landed: LandedDay
    extra_columns: Mapping[str, int] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placeholders: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@contextmanager
def open_day(landing: Root, org: Org, door: str, day: date | None, table: Table) -> Iterator[Intake]:
    """Take in one day of one door.

    Args:
        landing: the landing root.
        org: the org; only its own prefix is read.
        door: a door of the org.
        day: the event_date folder; None reads the folder of undated records, all of which are refused.
        table: the table the accepted rows are for.

    Bad records never raise. What raises is what would be wrong for every record: a missing secret, storage away, a
    full disk. Memory stays bounded: records pass through a temporary Parquet file, removed at the end.
    """
    landed = list_day(landing, door, org.slug, day)
    with scratch_folder("intake") as scratch:
        if (files := source_named(door).files) is not None:
            yield _drop(landing, org, door, files(), landed, table, scratch)
        else:
            reader = envelopes_of(door).reader()
            yield _webhooks(landing, org, door, reader, landed, table, scratch)


def _webhooks(
    landing: Root, org: Org, door: str, reader: EnvelopeReader, landed: LandedDay, table: Table, scratch: Path
) -> Intake:
    parts = Parts(scratch)
    received = parts.refuse_links(landed)
    with (
        landing.on_disk([found.key for found in landed.data]) as paths,
        # One batch is typed while the next is parsed.
        ThreadPoolExecutor(1, thread_name_prefix="typing") as pool,
    ):
        files = [(path, safe_key(found.key)) for path, found in zip(paths, landed.data, strict=True)]
        typing: Future[None] | None = None
        batches = parse_envelopes(files, door, reader.body, scratch, with_line=reader.with_line)
        if landed.day is None:
            batches = without_copied(batches, landing, org, door, landed, paths)
        for batch in batches:
            received += batch.received
            parts.rejected.append(batch.rejected)
            if typing is not None:
                typing.result()
            typed = reader.typed(batch.envelopes.lazy(), org, landed.day)
            typing = pool.submit(parts.add, typed if landed.day is not None else with_cause(typed, org))
        if typing is not None:
            typing.result()
    marks = tuple(f"link_outside: {safe_key(found.key)}" for found in landed.links)
    return _intake(received, parts, landed, table, {}, marks)


def _drop(
    landing: Root, org: Org, door: str, reader: FileReader, landed: LandedDay, table: Table, scratch: Path
) -> Intake:
    declared = of_source(org, door)
    files = committed(landing, door, org.slug, landed)
    parts = Parts(scratch)
    marks: list[str] = []
    extra: Counter[str] = Counter()
    lacking: set[str] = set()
    received = parts.refuse_links(landed)
    for found in files.live:
        with landing.on_disk([found.key]) as (path,):
            received += _one_drop_file(parts, path, found, reader, extra, lacking, org, landed.day, door)
    for found in files.stale:
        with landing.on_disk([found.key]) as (path,):
            records = _rows_of(path, found)
        parts.refuse("not_committed", found.key, records)
        received += records
    for name, records in files.missing:
        parts.refuse("missing_file", f"{door}/{org.slug}/…/{name}", records)
        received += records
    for found in files.unreadable:
        parts.refuse("unreadable_file", found.key)
        received += 1
    if declared and (rows := parts.scan()) is not None:
        for reason, column in faults(rows):
            parts.blame(reason, [column])
    refused_files = pl.concat(parts.rejected) if parts.rejected else pl.DataFrame(schema=REJECTED_SCHEMA)
    marks += [f"{row['reason']}: {row['source_file']}" for row in refused_files.iter_rows(named=True)]
    marks += [f"{reason}: the column {', '.join(columns)}" for reason, columns in parts.columns.items()]
    if lacking:
        marks.append(f"declared columns that files lack, null in their rows: {', '.join(sorted(lacking))}")
    if extra:
        marks.append(f"columns beyond the contract, not read: {', '.join(sorted(extra))}")
    return _intake(received, parts, landed, table, dict(sorted(extra.items())), tuple(marks))


def _one_drop_file(
    parts: Parts,
    path: Path,
    found: LandedObject,
    reader: FileReader,
    extra: Counter[str],
    lacking: set[str],
    org: Org,
    day: date | None,
    door: str,
) -> int:
    target, declared = parts.folder / "decoded.arrow", of_source(org, door)
    kinds = {**reader.kinds[org.sources.content(door)], **declared}
    try:
        file = parquet.decoded(path, found.name, kinds, target, known=reader.optional, optional=declared)
        absent = {name: dtype_of(kind) for name, kind in declared.items() if name not in file.columns}
        lacking.update(absent)
        extra.update(dict.fromkeys(file.extra, file.rows))
        if file.undecodable:
            parts.blame(parquet.NOT_TEXT, file.undecodable)
        rows = file.scan().with_columns(
            pl.lit(safe_key(found.key)).alias("source_file"),
            *(pl.lit(None, dtype).alias(name) for name, dtype in absent.items()),
        )
        typed = reader.typed(rows, org, day, door)
        parts.add(typed.with_columns(pl.lit(None, pl.String).alias("record_id")))
    except parquet.DropFileError as error:
        parts.refuse(error.code, found.key, error.rows)
        extra.update(dict.fromkeys(error.extra, error.rows))
        if error.column:
            parts.blame(error.code, error.column.split(", "))
        return error.rows
    finally:
        target.unlink(missing_ok=True)
    return file.rows


def _rows_of(path: Path, found: LandedObject) -> int:
    try:
        return max(parquet.rows_in(path, found.name), 1)
    except parquet.DropFileError as error:
        return error.rows


def _intake(
    received: int,
    parts: Parts,
    landed: LandedDay,
    table: Table,
    extra: Mapping[str, int],
    marks: tuple[str, ...] = (),
) -> Intake:
    rows = parts.scan()
    refused = [pl.LazyFrame(schema=REJECTED_SCHEMA), *(frame.lazy() for frame in parts.rejected)]
    if rows is None:
        none = pl.LazyFrame(schema=table.schema)
        return Intake(received, none, pl.concat(refused), 0, landed, extra, marks, parts.columns)
    accepted = rows.filter(pl.col("reason").is_null())
    repeated = _repeats(accepted) if "event_id" in table.schema else pl.Series("_row", [], pl.UInt32)
    if len(repeated):
        accepted = accepted.filter(~pl.col("_row").is_in(repeated.implode()))
    row = LINE_NUMBER if LINE_NUMBER in rows.collect_schema() else "source_row"
    refused.append(
        rows.filter(pl.col("reason").is_not_null()).select(
            "reason", "source_file", pl.col(row).alias("source_row"), "record_id", pl.lit(1, pl.Int64).alias("records")
        )
    )
    found = _placeholders(accepted)
    have = accepted.collect_schema()
    # A column that another source of the table declares is null here.
    accepted = accepted.select(
        pl.col(name) if name in have else pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items()
    )
    return Intake(received, accepted, pl.concat(refused), len(repeated), landed, extra, marks, parts.columns, found)


def _placeholders(rows: pl.LazyFrame) -> dict[str, tuple[int, int]]:
    if PLACEHOLDER not in rows.collect_schema():
        return {}
    people = plain_person().drop_nulls().hash().n_unique()
    with_one = rows.filter(pl.col(PLACEHOLDER).is_not_null()).group_by(PLACEHOLDER).agg(pl.len(), people)
    return {name: (events, others) for name, events, others in sorted(with_one.collect(engine="streaming").iter_rows())}


def _repeats(rows: pl.LazyFrame) -> pl.Series:
    """Row numbers of every accepted record beyond the first of its id.

    A 64-bit hash finds the few ids that may repeat; only these are compared in full.
    """
    hashed = rows.filter(pl.col("event_id").is_not_null()).select(
        "_row", "event_id", pl.col("event_id").hash().alias("_h")
    )
    suspects = hashed.group_by("_h").len().filter(pl.col("len") > 1).select("_h").collect(engine="streaming")["_h"]
    if suspects.is_empty():
        return pl.Series("_row", [], pl.UInt32)
    found = hashed.filter(pl.col("_h").is_in(suspects.implode())).collect(engine="streaming").sort("_row")
    return found.filter(~pl.col("event_id").is_first_distinct())["_row"]
