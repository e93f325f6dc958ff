"""message_outcomes: what became of each message within 72 h of its first send.

A message belongs to the day of its first send. A message that is sent again within three days is the same message, so
the row of day D needs the sends of D-3 … D, and the events of D … D+3. A success counts when

    send_timestamp <= event_timestamp < send_timestamp + 72 h

which is the attribution's rule seen from the send.

Memory is bounded whatever the size of a day: the events are divided by a hash of their message id into parts of about
`ROWS_PER_PART` rows on the local disk, and each part is joined by itself. All events of a message lie in one part.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS, MAX_WINDOW_HOURS
from justai_assets.contract.tables import MESSAGE_OUTCOMES
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
from justai_assets.events.served_copies import copies_of_sends
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.outdated import salt_of
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import exact_sum
from justai_assets.orgs.model import Org

ROWS_PER_PART: Final = 1_500_000
"""Events that are joined at once: about 300 MB."""

DAYS_PER_PASS: Final = 14
"""Days that are divided at once; a longer range is done in passes, so that the local disk holds two weeks at most."""

_COLUMNS: Final = (
    "event_class", "event_name", "event_timestamp", "event_date", "message_id", "template_id", "campaign_id",
    "person", "is_machine", "window_hours", "value",
)  # fmt: skip
_COUNTS: Final = ("opens", "machine_opens", "clicks", "machine_clicks", "unsubscribes", "attributed_conversions")
_CLASSES: Final = (SEND, OPEN, CLICK, UNSUBSCRIBE, BOUNCE, CUSTOM)
_IDS: Final = ("template_id", "campaign_id")

_HASH: Final = pl.col("message_id").hash(seed=0)


def needed_days(days: Days) -> Days:
    """The event_dates that the send days of a range are made from."""
    reach = timedelta(days=LOOKBACK_DAYS)
    return Days(days.first - reach, days.last + reach)


def outcomes_of(events: pl.DataFrame, days: Days) -> pl.DataFrame:
    """Make the MESSAGE_OUTCOMES rows of some send days, without copies, in no promised order.

    Args:
        events: event_class, event_name, event_timestamp, event_date, message_id, template_id, campaign_id, person,
            is_machine, window_hours and value of all events of `needed_days(days)`; or of some messages, each whole.
        days: send days.

    Of several first sends at one moment, the least template, campaign and person is the message's.
    """
    sends = events.filter(pl.col("event_class") == SEND)
    named = sends.filter(pl.col("message_id").is_not_null())
    # Few messages are sent twice, and only those have to be put in order and counted. Two messages of one hash go with
    # them: what follows compares the ids themselves.
    is_repeated = _HASH.is_duplicated()
    once, repeated = named.filter(~is_repeated), named.filter(is_repeated)
    firsts = (
        pl.concat([once, _first_sends(repeated)])
        .filter(pl.col("event_date").is_between(days.first, days.last))
        .select(
            "message_id",
            pl.col("event_timestamp").alias("sent_at"),
            pl.col("event_date").alias("send_date"),
            *_IDS,
            "person",
            pl.col("is_machine").is_not_null().alias("is_machine_known"),
        )
        .with_row_index("row")
    )
    again = _inside(repeated, firsts).group_by("row").agg(pl.len().cast(pl.Int64).alias("sends"))
    followed = _inside(events.filter(pl.col("event_class") != SEND), firsts)
    is_custom = pl.col("event_class") == CUSTOM
    engaged = followed.filter(~is_custom).group_by("row").agg(*_reactions())
    custom = followed.filter(is_custom)
    attributed = (
        custom.filter(pl.col("age") < pl.duration(hours=pl.col("window_hours")))
        .group_by("row")
        .agg(
            pl.col("event_timestamp").min().alias("first_conversion"),
            pl.len().cast(pl.Int64).alias("attributed_conversions"),
        )
    )
    conversions = (
        custom.group_by("row", "event_name")
        .agg(
            pl.col("age").min().dt.total_microseconds().alias("first_after_us"),
            pl.len().cast(pl.Int64).alias("events"),
        )
        .sort("event_name")
        .group_by("row", maintain_order=True)
        .agg(pl.struct("event_name", "first_after_us", "events").alias("conversions"))
    )
    values = _values(custom) if events["value"].count() else firsts.lazy().clear().select("row")
    rows = firsts.lazy()
    for part in (again, engaged, attributed, conversions, values):
        rows = rows.join(part, on="row", how="left")
    nameless = _without_id(sends.lazy().filter(pl.col("message_id").is_null()), days)
    # A message that was sent once has no row in `again`.
    return pl.concat([_shaped(rows.with_columns(pl.col("sends").fill_null(1))), _shaped(nameless)]).collect()


def _first_sends(sends: pl.DataFrame) -> pl.DataFrame:
    """The sends that no send of the same message precedes within three days."""
    sends = sends.sort("message_id", "event_timestamp", *_IDS, "person")
    # Sorted: the send before a send stands in the row before it, if that is of the same message.
    before = pl.when(pl.col("message_id") == pl.col("message_id").shift(1)).then(pl.col("event_date").shift(1))
    is_again = (pl.col("event_date") - before <= pl.duration(days=LOOKBACK_DAYS)).fill_null(value=False)
    return sends.filter(~is_again)


def _inside(events: pl.DataFrame, firsts: pl.DataFrame) -> pl.LazyFrame:
    """The events within 72 h of their message's first send, each with that send's `row` and its `age`.

    A message that is first sent twice has windows that cannot overlap: its first sends lie more than three days apart.
    """
    age = (pl.col("event_timestamp") - pl.col("sent_at")).alias("age")
    return (
        events.lazy()
        .select("message_id", "event_class", "event_name", "event_timestamp", "is_machine", "window_hours", "value")
        .with_columns(_HASH.alias("hash"))
        .join(
            firsts.lazy().select(pl.col("message_id").alias("sent"), _HASH.alias("hash"), "sent_at", "row"), on="hash"
        )
        .with_columns(age)
        .filter(
            pl.col("message_id") == pl.col("sent"),
            pl.col("age") >= pl.duration(),
            pl.col("age") < pl.duration(hours=MAX_WINDOW_HOURS),
        )
    )


def _values(custom: pl.LazyFrame) -> pl.LazyFrame:
    """What the custom events of a message were worth within the org's own window, one entry an event name."""
    return (
        custom.filter(pl.col("value").is_not_null(), pl.col("age") < pl.duration(hours=pl.col("window_hours")))
        .group_by("row", "event_name")
        .agg(exact_sum(pl.col("value")))
        .sort("event_name")
        .group_by("row", maintain_order=True)
        .agg(pl.struct("event_name", "value").alias("values"))
    )


def _reactions() -> Iterator[pl.Expr]:
    """The first of each kind of engagement, and how many there were."""
    kind, time = pl.col("event_class"), pl.col("event_timestamp")
    # Where nobody tells opens by machines apart, an open counts as one by a person.
    human = ~pl.col("is_machine").fill_null(value=False)
    kinds = {
        "open": (kind == OPEN) & human,
        "machine_open": (kind == OPEN) & ~human,
        "click": (kind == CLICK) & human,
        "machine_click": (kind == CLICK) & ~human,
        "unsubscribe": kind == UNSUBSCRIBE,
    }
    for name, is_one in kinds.items():
        yield time.filter(is_one).min().alias(f"first_{name}")
        yield is_one.sum().cast(pl.Int64).alias(f"{name}s")
    yield time.filter(kind == BOUNCE).min().alias("first_bounce")


def _without_id(sends: pl.LazyFrame, days: Days) -> pl.LazyFrame:
    """Sends that carry no message id: nothing can follow them, and one row a day and pair of ids counts them."""
    found = sends.filter(pl.col("event_date").is_between(days.first, days.last))
    return found.group_by(pl.col("event_date").alias("send_date"), *_IDS).agg(
        pl.col("event_timestamp").min().alias("sent_at"),
        pl.len().cast(pl.Int64).alias("sends"),
        pl.col("is_machine").is_not_null().any().alias("is_machine_known"),
    )


def _shaped(rows: pl.LazyFrame) -> pl.LazyFrame:
    have = rows.collect_schema().names()
    shaped = rows.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in MESSAGE_OUTCOMES.schema.items()
    )
    return shaped.with_columns(pl.col(_COUNTS).fill_null(0))


def build_message_outcomes(
    org: Org,
    lake: Lake,
    days: Days,
    *,
    note: dict[str, str] | None = None,
    on_day: Callable[[DayReport], None] = lambda _: None,
) -> list[DayReport]:
    """Replace send days of message_outcomes in one commit.

    Args:
        org: the org.
        lake: the lake.
        days: send days.
        note: put into the commit's metadata.
        on_day: called after each day is written, before the commit.
    """
    stamp = stamp_of(org, MESSAGE_OUTCOMES, salt_of(org, lake, days))
    reports = []
    with lake.replacing(org.slug, MESSAGE_OUTCOMES, days, note=note, stamp=stamp) as writer:
        for some in _passes(days):
            with TemporaryDirectory(prefix="justai-outcomes-") as scratch:
                parts = _joined_parts(org, lake, some, Path(scratch))
                for day in some:
                    rows = pl.scan_parquet(parts).filter(pl.col("send_date") == day) if parts else None
                    if rows is not None:
                        rows = rows.select(MESSAGE_OUTCOMES.schema.names())
                        writer.write(day, _with_copies(rows, copies_of_sends(org, lake, day)))
                    reports.append(DayReport(day, writer.rows(day), writer.bytes(day), ()))
                    on_day(reports[-1])
    return reports


def _passes(days: Days) -> Iterator[Days]:
    for offset in range(0, len(days), DAYS_PER_PASS):
        first = days.first + timedelta(days=offset)
        yield Days(first, min(days.last, first + timedelta(days=DAYS_PER_PASS - 1)))


def _joined_parts(org: Org, lake: Lake, days: Days, scratch: Path) -> list[Path]:
    """The outcomes of a pass, in files that are sorted by send day."""
    paths = []
    for at, events in enumerate(_divided(org, lake, days, scratch)):
        rows = outcomes_of(events, days).sort("send_date")
        if rows.height:
            path = scratch / f"outcomes-{at}.parquet"
            rows.write_parquet(path, compression="lz4", row_group_size=200_000)
            paths.append(path)
    return paths


def _divided(org: Org, lake: Lake, days: Days, scratch: Path) -> Iterator[pl.DataFrame]:
    """The events that the send days need, in parts that each hold whole messages."""
    # An event without a message follows nothing; a send without one is counted.
    is_sent = (pl.col("event_class") == SEND) & pl.col("event_date").is_between(days.first, days.last)
    is_used = pl.col("event_class").is_in(_CLASSES) & (pl.col("message_id").is_not_null() | is_sent)
    # What happened before the first send day follows no message of these days; earlier sends tell a first one apart.
    is_used &= (pl.col("event_class") == SEND) | (pl.col("event_date") >= days.first)
    sent = _SentMessages.of(read_events(org, lake, days).filter(is_sent))
    events = read_events(org, lake, needed_days(days)).filter(is_used).select(_COLUMNS).filter(sent.may_hold())
    # Most of what is left are the sends themselves and what followed them.
    rows = sum(sum(lake.counts(org.slug, table, days).values()) for table in stream_tables(org))
    parts = -(-rows // ROWS_PER_PART)
    if parts <= 1:
        yield events.collect(engine="streaming")
        return
    folder = scratch / "events"
    part = (_HASH % parts).fill_null(0).cast(pl.Int32).alias("part")
    target = pl.PartitionBy(folder, key="part", include_key=False)
    events.with_columns(part).sink_parquet(target, compression="lz4", engine="streaming", mkdir=True)
    for one in sorted(folder.iterdir()):
        yield pl.read_parquet(sorted(one.glob("*.parquet")), hive_partitioning=False)
        shutil.rmtree(one)


@dataclass(frozen=True)
class _SentMessages:
    """A Bloom filter of one hash over the messages sent on the send days: 32 bits a message.

    Most events around the send days belong to messages of other days, and go before anything is divided or joined. Of
    those, one in thirty-two stays by chance; the join drops it.
    """

    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, sends: pl.LazyFrame) -> _SentMessages:
        hashes = sends.select(_HASH.alias("hash")).collect(engine="streaming")["hash"].drop_nulls().to_numpy()
        size = 1 << max(10, (32 * len(hashes)).bit_length())
        bits = np.zeros(size // 8, np.uint8)
        at = hashes & np.uint64(size - 1)
        np.bitwise_or.at(
            bits, (at >> np.uint64(3)).astype(np.int64), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8)
        )
        return cls(bits)

    def may_hold(self) -> pl.Expr:
        """Whether the event's message may be one of them; true where the event has no message."""
        found = _HASH.map_batches(self._look_up, return_dtype=pl.Boolean, is_elementwise=True)
        return pl.col("message_id").is_null() | found

    def _look_up(self, hashes: pl.Series) -> pl.Series:
        at = hashes.fill_null(0).to_numpy() & np.uint64(8 * len(self.bits) - 1)
        bytes_ = self.bits[(at >> np.uint64(3)).astype(np.int64)]
        return pl.Series((bytes_ >> (at & np.uint64(7)).astype(np.uint8)) & np.uint8(1), dtype=pl.UInt8).cast(
            pl.Boolean
        )


def _with_copies(rows: pl.LazyFrame, copies: pl.LazyFrame) -> pl.LazyFrame:
    known = copies.select("message_id", pl.col("copy_id").alias("known"))
    joined = rows.join(known, on="message_id", how="left").with_columns(pl.col("known").alias("copy_id"))
    return joined.select(MESSAGE_OUTCOMES.schema.names())
