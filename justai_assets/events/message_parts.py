"""The events that message_outcomes joins, divided into parts that each hold whole messages.

The sends of the send days keep their text. Of everything else, the text stays behind: a message is known by two hashes
of its id, 96 bits together, which no two of 100 million messages share by chance (6e-14).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.attribution.engine.person_keys import check, key
from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS, REACTIONS
from justai_assets.contract.tables import ESP_EVENTS
from justai_assets.events.event_stream import (
    CUSTOM,
    SEND,
    read_events,
    send_names,
)
from justai_assets.events.message_people import MessagePeople
from justai_assets.events.served_copies import copies_of_sends
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import stream_tables

ROWS_PER_PART: Final = 1_000_000
"""Events that are joined at once: about 200 MB; two parts are held, the one being joined and the one being written."""

_GROUP_ROWS: Final = 32_768
"""Rows of a part that are held until they are written."""

_SEED: Final = 0
_ID: Final = key("message_id", _SEED).alias("id")
_CHECK: Final = check("message_id", _SEED).alias("id_check")
_CLASSES: Final = (SEND, *REACTIONS, CUSTOM)
_SENT: Final = (
    "id", "id_check", "event_timestamp", "message_id", "template_id", "campaign_id", "email_key", "user_key",
    "is_machine",
)  # fmt: skip
_OTHERS: Final = (
    "id", "id_check", "event_timestamp", "event_class", "event_name", "is_machine", "window_hours", "value",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Some messages, whole: nothing of theirs lies in another part.

    Attributes:
        sends: `sends_of` the send days, with `person` and `copy_id` in place of the keys.
        others: `others_of` the days, perhaps with some of other messages.
    """

    sends: pl.DataFrame
    others: pl.DataFrame


def divided(org: Org, lake: Lake, days: Days, scratch: Path) -> Iterator[Part]:
    """The events that the send days need, in parts of about ROWS_PER_PART events.

    Most events around the send days belong to messages of other days. A Bloom filter drops them as they are read.

    Args:
        org: the org.
        lake: the lake.
        days: send days.
        scratch: folder for the parts.
    """
    # Most of what is left are the sends themselves and what followed them.
    rows = sum(sum(lake.counts(org.slug, table, days).values()) for table in stream_tables(org))
    count = max(1, -(-rows // ROWS_PER_PART))
    sends, others = _Spilled(scratch / "sends", count), _Spilled(scratch / "others", count)
    for day in days:
        sends.add(_named(org, lake, day))
    sent = _SentMessages.of(sends.ids())
    others.add(others_of(read_events(org, lake, needed_days(days)), days, sent.may_hold()))
    for part in range(count):
        yield Part(sends.take(part), others.take(part))


def needed_days(days: Days) -> Days:
    """The event_dates that the send days of a range are made from."""
    reach = timedelta(days=LOOKBACK_DAYS)
    return Days(days.first - reach, days.last + reach)


def sends_of(events: pl.LazyFrame, days: Days) -> pl.LazyFrame:
    """The sends of the send days.

    Columns: `id` and `id_check` (hashes of message_id, null without one), event_timestamp, message_id, template_id,
    campaign_id, email_key, user_key, is_machine.
    """
    is_one = pl.col("message_id").is_not_null()
    hashes = (pl.when(is_one).then(one).alias(one.meta.output_name()) for one in (_ID, _CHECK))
    return events.filter(_is_sent(days)).with_columns(hashes).select(_SENT)


def others_of(events: pl.LazyFrame, days: Days, may_be_theirs: pl.Expr | None = None) -> pl.LazyFrame:
    """What is no send of the send days, and belongs to a message.

    What happened before the first send day follows no message of these days; earlier sends tell a first one apart.
    Columns: `id`, `id_check`, event_timestamp, event_class, event_name (of custom events), is_machine, window_hours,
    value.

    Args:
        events: EVENT_STREAM's columns, of `needed_days`.
        days: send days.
        may_be_theirs: over `id`: false where the message is none of the send days'.
    """
    may_matter = (pl.col("event_class") == SEND) | (pl.col("event_date") >= days.first)
    wanted = pl.col("event_class").is_in(_CLASSES) & pl.col("message_id").is_not_null() & ~_is_sent(days) & may_matter
    name = pl.when(pl.col("event_class") == CUSTOM).then("event_name").alias("event_name")
    found = events.filter(wanted).with_columns(_ID)
    if may_be_theirs is not None:
        found = found.filter(may_be_theirs)
    return found.with_columns(_CHECK, name).select(_OTHERS)


def _named(org: Org, lake: Lake, day: date) -> pl.LazyFrame:
    """The sends of a day with their persons and copies."""
    one = Days(day, day)
    engagement = lake.scan(org.slug, ESP_EVENTS, needed_days(one))
    is_send = (pl.col("event_date") == day) & pl.col("event_name").is_in(send_names(org))
    people = MessagePeople.of(engagement, engagement.filter(is_send))
    sends = people.named(sends_of(read_events(org, lake, one), one))
    # With the order of the sends kept, the copies are held in memory and not the sends.
    return sends.join(copies_of_sends(org, lake, day), on="message_id", how="left", maintain_order="left")


def _is_sent(days: Days) -> pl.Expr:
    return (pl.col("event_class") == SEND) & pl.col("event_date").is_between(days.first, days.last)


class _Spilled:
    """Rows by part: in files, or as they are where there is one part only."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count
        self._whole: list[pl.DataFrame] = []
        self._added = 0

    def add(self, rows: pl.LazyFrame) -> None:
        """Take rows with an `id`; may be called again."""
        self._added += 1
        if self._count == 1:
            self._whole.append(rows.collect(engine="streaming"))
            return
        self._whole = [rows.collect_schema().to_frame()]
        part = (pl.col("id") % self._count).fill_null(0).cast(pl.Int32).alias("part")
        target = pl.PartitionBy(self._folder / str(self._added), key="part", include_key=False)
        rows.with_columns(part).sink_parquet(
            target, compression="lz4", statistics=False, row_group_size=_GROUP_ROWS, engine="streaming", mkdir=True
        )

    def take(self, part: int) -> pl.DataFrame:
        """The rows of a part, which are given up here."""
        folders = sorted(self._folder.glob(f"*/part={part}"))
        files = [file for folder in folders for file in sorted(folder.glob("*.parquet"))]
        rows = pl.concat([*self._whole, *(pl.read_parquet(file, hive_partitioning=False) for file in files)])
        for folder in folders:
            shutil.rmtree(folder)
        return rows

    def ids(self) -> pl.Series:
        """The hashes of all rows; null where there is no message."""
        files = sorted(self._folder.glob("*/*/*.parquet"))
        rows = [
            *(one.lazy() for one in self._whole),
            *(pl.scan_parquet(file, hive_partitioning=False) for file in files),
        ]
        return pl.concat(one.select("id") for one in rows).collect(engine="streaming")["id"]


@dataclass(frozen=True)
class _SentMessages:
    """A Bloom filter of one hash over the messages sent on the send days: 32 bits a message.

    Of the messages of other days, one in thirty-two stays by chance; the join drops it.
    """

    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, ids: pl.Series) -> _SentMessages:
        hashes = ids.drop_nulls().to_numpy()
        size = 1 << max(10, (32 * len(hashes)).bit_length())
        bits = np.zeros(size // 8, np.uint8)
        at = hashes & np.uint64(size - 1)
        np.bitwise_or.at(
            bits, (at >> np.uint64(3)).astype(np.int64), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8)
        )
        return cls(bits)

    def may_hold(self) -> pl.Expr:
        """Whether the message of an `id` may be one of them."""
        return pl.col("id").map_batches(self._look_up, return_dtype=pl.Boolean, is_elementwise=True)

    def _look_up(self, hashes: pl.Series) -> pl.Series:
        at = hashes.to_numpy() & np.uint64(8 * len(self.bits) - 1)
        bytes_ = self.bits[(at >> np.uint64(3)).astype(np.int64)]
        found = (bytes_ >> (at & np.uint64(7)).astype(np.uint8)) & np.uint8(1)
        return pl.Series(found.view(np.bool_))
