"""message_outcomes: what became of each message within 72 h of its first send.

A message belongs to the day of its first send. A message that is sent again within three days is the same message, so
the row of day D needs the sends of D-3 … D, and the events of D … D+3. A success counts when

    send_timestamp <= event_timestamp < send_timestamp + 72 h

which is the attribution's rule seen from the send.

Memory grows by a few bytes a message and by 24 bytes for each pair of keys; nothing else grows with the day. The events
are divided by a hash of their message id (`message_parts`), and each part is joined by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS, MAX_WINDOW_HOURS, REACTIONS
from justai_assets.contract.result_tables import REACTION_COUNTS
from justai_assets.contract.tables import MESSAGE_OUTCOMES
from justai_assets.events.event_stream import CUSTOM, SEND
from justai_assets.events.message_parts import Part, divided
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.outdated_days import salt_of
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import exact_sum
from justai_assets.orgs.org_model import Org

DAYS_PER_PASS: Final = 14
"""Days that are divided at once; a longer range is done in passes, so that the local disk holds two weeks at most."""

_COUNTS: Final = (*REACTION_COUNTS, "attributed_conversions")
_IDS: Final = ("template_id", "campaign_id")

_MESSAGE: Final = ("id", "id_check")


def outcomes_of(part: Part, days: Days) -> pl.DataFrame:
    """Make the MESSAGE_OUTCOMES rows of some send days, in no promised order.

    Args:
        part: some messages, with all events of `needed_days(days)`.
        days: send days.

    Of several first sends at one moment, the least template, campaign and person count.
    """
    named = part.sends.filter(pl.col("id").is_not_null())
    others = part.others.filter(pl.col("event_class") == SEND)
    # Few messages are sent twice, and only those have to be put in order and counted.
    sent_again = pl.concat([named.filter(pl.col("id").is_duplicated())["id"], others["id"]]).unique()
    is_repeated = pl.col("id").is_in(sent_again.implode())
    repeated = pl.concat([named.filter(is_repeated), others.select(*_MESSAGE, "event_timestamp")], how="diagonal")
    day = pl.col("sent_at").dt.date()
    firsts = (
        pl.concat([named.filter(~is_repeated), _first_sends(repeated)])
        .select(
            *_MESSAGE,
            pl.col("event_timestamp").alias("sent_at"),
            "message_id",
            *_IDS,
            "person",
            "copy_id",
            pl.col("is_machine").is_not_null().alias("is_machine_known"),
        )
        .filter(day.is_between(days.first, days.last))
        .with_columns(day.alias("send_date"))
        .with_row_index("row")
    )
    sends = repeated.select(*_MESSAGE, "event_timestamp", pl.lit(SEND).alias("event_class"))
    followed = part.others.filter(pl.col("event_class") != SEND)
    inside = _inside(pl.concat([followed, sends], how="diagonal"), firsts)
    custom = inside.filter(pl.col("event_class") == CUSTOM).lazy()
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
    rows = firsts.lazy().join(inside.lazy().group_by("row").agg(*_counted()), on="row", how="left")
    rows = rows.join(conversions, on="row", how="left")
    if inside["value"].count():
        rows = rows.join(_values(custom), on="row", how="left")
    # A message that was sent once is not in `repeated`.
    rows = rows.with_columns(pl.col("sends").replace(0, 1).fill_null(1))
    nameless = _without_id(part.sends.lazy().filter(pl.col("id").is_null()))
    return pl.concat([_shaped(rows), _shaped(nameless)]).collect()


def _first_sends(sends: pl.DataFrame) -> pl.DataFrame:
    """The sends that no send of the same message precedes within three days."""
    sends = sends.sort(*_MESSAGE, "event_timestamp", *_IDS, "person")
    # Sorted: the send before a send stands in the row before it, if that is of the same message.
    is_same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _MESSAGE)
    day = pl.col("event_timestamp").dt.date()
    is_again = (is_same & (day - day.shift(1) <= pl.duration(days=LOOKBACK_DAYS))).fill_null(value=False)
    return sends.filter(~is_again)


def _inside(events: pl.DataFrame, firsts: pl.DataFrame) -> pl.DataFrame:
    """The events within 72 h of their message's first send, each with that send's `row` and its `age`.

    A message that is first sent twice has windows that cannot overlap: its first sends lie more than three days apart.
    """
    age = (pl.col("event_timestamp") - pl.col("sent_at")).alias("age")
    joined = events.lazy().join(firsts.lazy().select(*_MESSAGE, "sent_at", "row"), on="id").with_columns(age)
    is_inside = (pl.col("age") >= pl.duration()) & (pl.col("age") < pl.duration(hours=MAX_WINDOW_HOURS))
    return joined.filter(pl.col("id_check") == pl.col("id_check_right"), is_inside).collect()


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


def _counted() -> Iterator[pl.Expr]:
    """The first of each kind of event that followed a send, and how many there were."""
    kind, time = pl.col("event_class"), pl.col("event_timestamp")
    # Where nobody tells opens by machines apart, an open counts as one by a person.
    human = ~pl.col("is_machine").fill_null(value=False)
    for name, one in REACTIONS.items():
        found = {"": kind == name}
        if one.machines:
            found = {"": (kind == name) & human, "machine_": (kind == name) & ~human}
        for by, is_one in found.items():
            yield time.filter(is_one).min().alias(f"first_{by}{name}")
            if one.is_metric:
                yield is_one.sum().cast(pl.Int64).alias(f"{by}{one.plural}")
    yield (kind == SEND).sum().cast(pl.Int64).alias("sends")
    is_own = ((kind == CUSTOM) & (pl.col("age") < pl.duration(hours=pl.col("window_hours")))).fill_null(value=False)
    yield time.filter(is_own).min().alias("first_conversion")
    yield is_own.sum().cast(pl.Int64).alias("attributed_conversions")


def _without_id(sends: pl.LazyFrame) -> pl.LazyFrame:
    """Sends that carry no message id: nothing can follow them, and one row a day and pair of ids counts them."""
    return sends.group_by(pl.col("event_timestamp").dt.date().alias("send_date"), *_IDS).agg(
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
                for day, rows in _by_day(org, lake, some, Path(scratch)):
                    writer.write(day, _ahead(rows))
                    reports.append(DayReport(day, writer.rows(day), writer.bytes(day), ()))
                    on_day(reports[-1])
    return reports


def _passes(days: Days) -> Iterator[Days]:
    for offset in range(0, len(days), DAYS_PER_PASS):
        first = days.first + timedelta(days=offset)
        yield Days(first, min(days.last, first + timedelta(days=DAYS_PER_PASS - 1)))


def _by_day(org: Org, lake: Lake, days: Days, scratch: Path) -> Iterator[tuple[date, Iterator[pl.DataFrame]]]:
    """The outcomes of a pass, day by day, each day in some frames."""
    found = (outcomes_of(part, days) for part in divided(org, lake, days, scratch))
    if len(days) == 1:
        yield days.first, found
        return
    paths = []
    for at, rows in enumerate(found):
        paths.append(scratch / f"outcomes-{at}.parquet")
        rows.sort("send_date").write_parquet(paths[-1], compression="lz4", row_group_size=200_000)
    for day in days:
        yield day, (pl.scan_parquet(path).filter(pl.col("send_date") == day).collect() for path in paths)


def _ahead(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same frames, each made while the one before it is written."""
    with ThreadPoolExecutor(1) as maker:
        next_one = maker.submit(next, frames, None)
        while (frame := next_one.result()) is not None:
            next_one = maker.submit(next, frames, None)
            yield frame
