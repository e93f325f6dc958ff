"""Undated webhook records: those that lie under their own day by now are left out, the others get their cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from justai_assets.contract.foreign_names import safe_key
from justai_assets.landing.envelopes import LINE_NUMBER, Batch
from justai_assets.landing.listing import LandedDay
from justai_assets.landing.refiled_records import copied_lines
from justai_assets.orgs.org_model import Org
from justai_assets.sources.registry import is_collected
from justai_assets.sources.row_reason import REASON, first_reason, when
from justai_assets.storage import Root


def without_copied(
    batches: Iterable[Batch], landing: Root, org: Org, door: str, landed: LandedDay, paths: list[Path]
) -> Iterator[Batch]:
    """The batches without the records that lie under their own day too: there they are received
    (`landing.refiled_records`).

    Args:
        batches: the records of the undated folder.
        landing: the landing root.
        org: the org.
        door: the door.
        landed: the folder.
        paths: its data objects on disk, in their order.
    """
    copied = copied_lines(landing, org.slug, landed, paths, door, org.start_date) if is_collected(door) else ()
    keys = [(safe_key(key), number) for key, number in copied]
    elsewhere = pl.DataFrame(keys, schema={"source_file": pl.String, LINE_NUMBER: pl.Int64}, orient="row")
    for batch in batches:
        envelopes = batch.envelopes.join(elsewhere, on=["source_file", LINE_NUMBER], how="anti")
        rejected = batch.rejected.join(
            elsewhere, left_on=["source_file", "source_row"], right_on=["source_file", LINE_NUMBER], how="anti"
        )
        gone = batch.envelopes.height - envelopes.height + batch.rejected.height - rejected.height
        yield Batch(batch.received - gone, envelopes, rejected)


def with_cause(typed: pl.LazyFrame, org: Org) -> pl.LazyFrame:
    """Undated rows, those that happened before the org's start told apart from those that have no usable time."""
    is_early = (pl.col(REASON) == "undated") & (pl.col("event_timestamp").dt.date() < org.start_date)
    return typed.with_columns(first_reason(when(is_early, "before_start"), pl.col(REASON)))
