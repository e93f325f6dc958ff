"""The events that message_outcomes joins, divided into parts that each hold whole messages.

The sends of the send days keep their text. Of everything else, the text stays behind: a message is known by two hashes
of its id, 96 bits together, which no two of 100 million messages share by chance (6e-14).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.attribution.keys import check, key
from justai_assets.contract.days import Days
from justai_assets.events.event_stream import (
    BOUNCE,
    CLICK,
    CUSTOM,
    OPEN,
    SEND,
    UNSUBSCRIBE,
    read_events,
    stream_tables,
)
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import Org

ROWS_PER_PART: Final = 1_500_000
"""Events that are joined at once: about 300 MB."""

_SEED: Final = 0
_ID: Final = key("message_id", _SEED).alias("id")
_CHECK: Final = check("message_id", _SEED).alias("check")
_CLASSES: Final = (SEND, OPEN, CLICK, UNSUBSCRIBE, BOUNCE, CUSTOM)
_SENT: Final = (
    "id", "check", "event_timestamp", "message_id", "template_id", "campaign_id", "email_key", "user_key", "is_machine",
)  # fmt: skip
_OTHERS: Final = (
    "id", "check", "event_timestamp", "event_class", "event_name", "is_machine", "window_hours", "value",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Some messages, whole: nothing of theirs lies in another part.

    Attributes:
        sends: the sends of the send days; `id` and `check` (hashes of message_id, null without one), event_timestamp,
            message_id, template_id, campaign_id, email_key, user_key, is_machine.
        others: what else happened to messages, and perhaps to others: `id`, `check`, event_timestamp, event_class,
            event_name (of custom events), is_machine, window_hours, value.
    """

    sends: pl.DataFrame
    others: pl.DataFrame

    @classmethod
    def of(cls, events: pl.LazyFrame, days: Days) -> Part:
        """All events as one part.

        Args:
            events: EVENT_STREAM's columns; of the send days and three days around them.
            days: send days.
        """
        halves = _sent(events, days), _others(events, days, pl.lit(value=True))
        return cls(*(half.collect(engine="streaming") for half in halves))


def divided(org: Org, lake: Lake, days: Days, around: Days, scratch: Path) -> Iterator[Part]:
    """The events that the send days need, in parts of about ROWS_PER_PART events.

    Most events around the send days belong to messages of other days. A Bloom filter drops them as they are read.

    Args:
        org: the org.
        lake: the lake.
        days: send days.
        around: event_dates to read.
        scratch: folder for the parts.
    """
    # Most of what is left are the sends themselves and what followed them.
    rows = sum(sum(lake.counts(org.slug, table, days).values()) for table in stream_tables(org))
    count = max(1, -(-rows // ROWS_PER_PART))
    sends = _spilled(_sent(read_events(org, lake, days), days), scratch / "sends", count)
    sent = _SentMessages.of(sends)
    events = read_events(org, lake, around)
    others = _spilled(_others(events, days, sent.may_hold()), scratch / "others", count)
    for part in range(count):
        yield Part(sends.take(part), others.take(part))


@dataclass(frozen=True)
class _Spilled:
    """Rows by part: in files, or as they are where there is one part only."""

    folder: Path
    schema: pl.Schema
    whole: pl.DataFrame | None

    def take(self, part: int) -> pl.DataFrame:
        """The rows of a part, which are given up here."""
        if self.whole is not None:
            return self.whole
        folder = self.folder / f"part={part}"
        if not folder.exists():
            return self.schema.to_frame()
        rows = pl.read_parquet(sorted(folder.glob("*.parquet")), hive_partitioning=False)
        shutil.rmtree(folder)
        return rows

    @property
    def ids(self) -> pl.Series:
        """The hashes of all rows; null where there is no message."""
        rows = pl.scan_parquet(self.folder, hive_partitioning=False) if self.whole is None else self.whole.lazy()
        return rows.select("id").collect(engine="streaming")["id"]


def _spilled(rows: pl.LazyFrame, folder: Path, count: int) -> _Spilled:
    schema = rows.collect_schema()
    if count == 1:
        return _Spilled(folder, schema, rows.collect(engine="streaming"))
    part = (pl.col("id") % count).fill_null(0).cast(pl.Int32).alias("part")
    target = pl.PartitionBy(folder, key="part", include_key=False)
    rows.with_columns(part).sink_parquet(target, compression="lz4", statistics=False, engine="streaming", mkdir=True)
    return _Spilled(folder, schema, None if folder.exists() else schema.to_frame())


def _sent(events: pl.LazyFrame, days: Days) -> pl.LazyFrame:
    return events.filter(_is_sent(days)).with_columns(_message()).select(_SENT)


def _others(events: pl.LazyFrame, days: Days, may_be_theirs: pl.Expr) -> pl.LazyFrame:
    """What is no send of the send days, and belongs to a message for whose `id` a condition holds.

    What happened before the first send day follows no message of these days; earlier sends tell a first one apart.
    """
    may_matter = (pl.col("event_class") == SEND) | (pl.col("event_date") >= days.first)
    wanted = pl.col("event_class").is_in(_CLASSES) & pl.col("message_id").is_not_null() & ~_is_sent(days) & may_matter
    name = pl.when(pl.col("event_class") == CUSTOM).then("event_name").alias("event_name")
    found = events.filter(wanted).with_columns(_ID).filter(may_be_theirs)
    return found.with_columns(_CHECK, name).select(_OTHERS)


def _message() -> list[pl.Expr]:
    """Both hashes of a send's message; null without one."""
    return [
        pl.when(pl.col("message_id").is_not_null()).then(one).alias(one.meta.output_name()) for one in (_ID, _CHECK)
    ]


def _is_sent(days: Days) -> pl.Expr:
    return (pl.col("event_class") == SEND) & pl.col("event_date").is_between(days.first, days.last)


@dataclass(frozen=True)
class _SentMessages:
    """A Bloom filter of one hash over the messages sent on the send days: 32 bits a message.

    Of the messages of other days, one in thirty-two stays by chance; the join drops it.
    """

    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, sends: _Spilled) -> _SentMessages:
        hashes = sends.ids.drop_nulls().to_numpy()
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
