"""Where a Spark job runs and who commits its rows: Databricks writes Delta itself; beside the asset, the asset does."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
import polars as pl

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.spark.task import ATTRIBUTED, Source, Target, Task
from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import ESP_EVENTS, FATES, Table
from justai_assets.dag.databricks.local_job import run_beside
from justai_assets.dag.databricks.pipes_messages import Count
from justai_assets.dag.databricks.workspace import run_on_databricks
from justai_assets.lake.delta_schema import delta_types
from justai_assets.lake.live_files import Held, held, live_files
from justai_assets.lake.snapshot import Snapshot
from justai_assets.lake.stamp import OPEN, Stamp
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.scratch import scratch_folder

WHERE = "JUSTAI_DATABRICKS"


@dataclass(frozen=True)
class Work:
    """Days of one table of an org, to be made from others of its tables as they were when the work began."""

    org: Org
    lake: Lake
    table: Table
    inputs: Sequence[Snapshot]
    days: Days
    note: Mapping[str, str]
    stamp: Stamp

    def days_of(self, table: Table) -> Days:
        """The days of an input that are read: the sends of a day lie up to three days before it."""
        if self.table.name == ATTRIBUTED and table is ESP_EVENTS:
            return Days(self.days.first - timedelta(days=LOOKBACK_DAYS), self.days.last)
        return self.days

    def task(
        self, sources: Mapping[str, Source], target: Target, scratch: str, settings: Mapping[str, str] | None = None
    ) -> Task:
        """As the job takes it."""
        rule = Rule.of(self.org.attribution)
        return Task(
            table=self.table.name,
            lo=self.days.first,
            hi=self.days.last,
            sources=sources,
            target=target,
            scratch=scratch,
            **rule.as_data(),
            note={**self.note, **self.stamp.note},
            settings=settings or {},
        )


@dataclass(frozen=True)
class Done:
    """A job that has run.

    Attributes:
        counts: what it reported, by day.
        take: what a day then holds in the table; beside the asset this is what puts it there, once a day.
    """

    counts: Mapping[date, Count]
    take: Callable[[date], Held]


def place_of(context: dg.AssetExecutionContext, work: Work) -> AbstractContextManager[Done]:
    """Run the job where the environment says: inside, what it reports; the end commits what is left to commit.

    Raises:
        JustAIError: JUSTAI_DATABRICKS is neither empty nor `local`.
    """
    match os.environ.get(WHERE, ""):
        case "":
            return _on_databricks(context, work)
        case "local":
            return _beside(context, work)
    raise JustAIError(
        f"{WHERE} is set to something unknown", code="unknown_place", mend=f"unset it, or set {WHERE}=local"
    )


@contextmanager
def _beside(context: dg.AssetExecutionContext, work: Work) -> Iterator[Done]:
    slug, lake = work.org.slug, work.lake
    with scratch_folder("spark") as folder, ExitStack() as stack:
        out = folder / "out"
        sources = {}
        for one in work.inputs:
            table = one.table
            keys = [] if one.version is None else live_files(lake, slug, table, work.days_of(table), one.version)
            paths = stack.enter_context(lake.root.on_disk(keys))
            sources[table.name] = Source(delta_types(table), files=tuple(map(str, paths)))
        target = Target(delta_types(work.table), folder=str(out))
        counts = run_beside(context, lambda settings: work.task(sources, target, f"{folder}/scratch", settings), folder)
        rows = stack.enter_context(lake.replacing(slug, work.table, work.days, note=work.note, stamp=work.stamp))

        def take(day: date) -> Held:
            files = sorted((out / f"event_date={day}").glob("*.parquet"))
            if not files:
                return Held()
            frame = pl.scan_parquet(files, hive_partitioning=False).with_columns(event_date=pl.lit(day))
            return Held(rows.write(day, frame), rows.bytes(day))

        yield Done(counts, take)


@contextmanager
def _on_databricks(context: dg.AssetExecutionContext, work: Work) -> Iterator[Done]:
    slug, lake = work.org.slug, work.lake
    if lake.root.is_local:
        raise JustAIError(
            "the lake is on this machine's disk, where Databricks cannot read it",
            code="lake_on_disk",
            mend=f"set JUSTAI_LAKE to an s3:// URL, or {WHERE}=local to run the job here",
        )
    for table in (*(one.table for one in work.inputs), work.table):
        lake.ensure(slug, table)
    # The job commits the rows itself, under names that do not tell a build from a compaction. Until the ledger has its
    # entry, the days say that somebody is at them.
    with lake.replacing(
        slug, FATES, work.days, partition={"asset": work.table.name}, note=work.note, stamp=OPEN
    ) as mark:
        mark.empty(work.days)
    sources = {
        # Version 0 is the empty table: the only one that is the same as none.
        one.table.name: Source(delta_types(one.table), delta=lake.uri(slug, one.table), version=one.version or 0)
        for one in work.inputs
    }
    target = Target(delta_types(work.table), delta=lake.uri(slug, work.table))
    scratch = f"{slug}/_scratch/{context.run.run_id}-{work.table.name}-{context.retry_number}"
    try:
        counts = run_on_databricks(context, work.org, work.task(sources, target, lake.root.uri(scratch)))
    finally:
        _remove(context, lake, scratch)
    yield Done(counts, held(lake, slug, work.table, work.days).__getitem__)


def _remove(context: dg.AssetExecutionContext, lake: Lake, prefix: str) -> None:
    try:
        lake.root.delete(*[found.key for found in lake.root.list(prefix)])
    except JustAIError as error:
        context.log.warning(f"{prefix} could not be removed and can be deleted by hand: {error}")
