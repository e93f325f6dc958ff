"""One day of custom events, each with the send that caused it or the reason for none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from justai_assets.attribution.engine.latest_sends import EVENT, SEND, Latest
from justai_assets.attribution.engine.linked_keys import KINDS, Identity, Shared, without
from justai_assets.attribution.engine.matches import Judged, Matches, match
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.engine.person_keys import KeyCollisionError, seeds
from justai_assets.attribution.engine.record_buckets import Buckets, People, Records, fill, remove, scratch
from justai_assets.attribution.engine.send_texts import IDS, Shelf, gather
from justai_assets.attribution.event_files import Source
from justai_assets.attribution.rule import HOUR_US, Rule
from justai_assets.contract.events import LOOKBACK_DAYS, MAX_WINDOW_HOURS
from justai_assets.contract.reasons import NO_IDENTITY, NO_SEND, OUTSIDE_WINDOW
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, UTC_TIMESTAMP

_BEST = ("send_timestamp", *IDS)
_KEYS = ("email_key", "user_key")


def attribute_day(
    engagement: pl.LazyFrame,
    custom: pl.LazyFrame,
    day: date,
    rule: Rule,
    *,
    memory_budget: int | None = None,
    limits: Limits | None = None,
    spill: Path | None = None,
    shared: dict[str, tuple[int, int]] | None = None,
) -> Iterator[pl.DataFrame]:
    """Every custom event of a day exactly once, in chunks of ATTRIBUTED_EVENTS rows.

    Args:
        engagement: ESP_EVENTS rows; those with an event_date of `day` - 3 … `day` are read, others are not.
        custom: CUSTOM_EVENTS rows, and further columns, which pass through; those of `day` are read.
        day: the event_date.
        rule: windows, send events and tie-break.
        memory_budget: bytes the work may take; a quarter of the machine when not given.
        limits: how the work is cut, instead of what follows from the budget.
        spill: existing folder for what does not stay in memory; where the system keeps temporary files when not given.
        shared: gets, by the end, `email` or `user id` → the day's events that carry a shared one, and the people who
            share it; nothing where none is shared.

    The send of an event is the latest one of the same person at or before it (ties: see `Rule`). Its columns are
    filled when it is less than 72 h before, attributed or not; `is_attributed` says whether it is inside the window.
    The reason is `no_identity` without a key, `outside_window` when some send precedes the event, else `no_send`.
    Keys of one person are linked by engagement rows that carry both (`linked_keys`); an event whose two keys belong to
    two persons takes the best send of either. A key that more than MOST_LINKED others share names nobody,
    and is null in the result. The same rows in any order give the same rows, in no promised order.

    Both frames are streamed once into a scratch folder, which is removed when the iterator ends or is closed. Memory
    grows with the distinct (email, user id) pairs, about 100 bytes each; nothing else grows with the input.
    """
    with scratch(spill) as folder:
        sends, events, pairs = _land(engagement, custom, day, rule, folder)
        if not events.rows:
            return
        limits = limits or Limits.of(sends.rows + events.rows, memory_budget)
        for attempt, seed in enumerate(seeds()):
            try:
                matches, nobodys = _matched(sends, events, pairs, rule, folder / str(attempt), limits, seed)
                break
            except KeyCollisionError:
                remove(folder / str(attempt))
        else:
            raise AssertionError("keys share 64 bits under every seed")
        shelf = Shelf(folder, width=limits.chunk_rows, resident=limits.resident)
        for frame in gather([sends], matches, rule, folder, limits, read_all=lambda _: False):
            shelf.put(frame.rename({"tag": "row"}))
        columns = judged(rule)
        extra = [name for name in events.columns if name not in ATTRIBUTED_EVENTS.schema]
        with_one = Counter[str]()
        for start in range(0, events.rows, limits.chunk_rows):
            chunk = (
                pl.scan_parquet(events.paths[0]).slice(start, limits.chunk_rows).collect().with_row_index("row", start)
            )
            best = rule.winners(shelf.take(start // limits.chunk_rows), "row", "ts").with_columns(
                pl.col("row").cast(pl.get_index_type()), send_timestamp=pl.col("ts").cast(UTC_TIMESTAMP)
            )
            with_one.update({one.column: chunk.select(one.is_one.sum()).item() for one in nobodys})
            if nobodys:
                chunk = without(chunk.lazy(), nobodys).collect()
            yield chunk.join(best, on="row", how="left").select(*columns, *extra)
        if shared is not None:
            shared |= {KINDS[one.column]: (with_one[one.column], one.people) for one in nobodys}


def _land(
    engagement: pl.LazyFrame, custom: pl.LazyFrame, day: date, rule: Rule, folder: Path
) -> tuple[Source, Source, pl.LazyFrame]:
    """The day's custom events and the sends as files, so that a row has a number; and the rows that link keys."""
    engagement = engagement.filter(pl.col("event_date").is_between(day - timedelta(days=LOOKBACK_DAYS), day))
    some_key = pl.any_horizontal(pl.col(name).is_not_null() for name in _KEYS)
    wanted = pl.col("event_name").is_in(rule.send_events) & some_key
    frames = {
        "sends": engagement.filter(wanted).select("event_timestamp", *_KEYS, *IDS),
        "events": custom.filter(pl.col("event_date") == day).drop("template_id"),
        "links": engagement.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in _KEYS)).select(_KEYS),
    }
    found = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        frame.sink_parquet(path, compression="lz4", statistics=False, engine="streaming")
        found[name] = Source.whole(path)
    return found["sends"], found["events"], pl.scan_parquet(folder / "links.parquet")


def _matched(
    sends: Source, events: Source, links: pl.LazyFrame, rule: Rule, folder: Path, limits: Limits, seed: int
) -> tuple[Matches, tuple[Shared, ...]]:
    """Each event's latest prior send of each of its persons, and the keys that are nobody's.

    Of a match, `ts` is the send's time, `tag` the event's row.
    """
    identity = Identity.of(links, seed, folder.parent)
    happened = Buckets(EVENT, folder / "events", resident=limits.resident // 2)
    sent = Buckets(SEND, folder / "sends", resident=limits.resident // 2)
    people = People(2 * events.rows)
    when = pl.col("event_timestamp").to_physical().alias("ts")
    numbered = events.scan("event_timestamp", *_KEYS).with_row_index("tag").with_columns(pl.col("tag").cast(pl.Int64))
    for frame in identity.persons(numbered, when, "tag"):
        fill(happened, frame, limits, add=people)
    numbered = sends.scan("event_timestamp", *_KEYS).with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    fill(sent, identity.person(numbered, when, "at"), limits, only=people)
    matches = Matches(sends.rows, folder, limits)
    for found in match(sent, happened, rule, limits, _judge):
        matches.add(found)
    return matches, identity.shared


def _judge(sends: Records, events: Records, latest: Latest) -> Judged:
    """Every match counts: what lies outside the window is known by its age later."""
    return Judged(
        at=sends["at"][latest.send],
        ts=sends["ts"][latest.send],
        tag=events["tag"][latest.event],
        tie=latest.tie,
        tied_at=sends["at"][latest.tied],
        tied_in=latest.tied_in,
    )


def judged(rule: Rule) -> list[pl.Expr]:
    """The columns of ATTRIBUTED_EVENTS, from a custom event beside its latest prior send (`send_timestamp`, ids)."""
    age = (pl.col("event_timestamp") - pl.col("send_timestamp")).dt.total_microseconds()
    window = rule.window_expr()
    attributed = rule.bounds.holds(age, window.cast(pl.Int64) * HOUR_US).fill_null(value=False)
    known = rule.bounds.holds(age, MAX_WINDOW_HOURS * HOUR_US).fill_null(value=False)
    reason = (
        pl.when(attributed)
        .then(None)
        .when(pl.col("email_key").is_null() & pl.col("user_key").is_null())
        .then(pl.lit(NO_IDENTITY))
        .when(pl.col("send_timestamp").is_not_null())
        .then(pl.lit(OUTSIDE_WINDOW))
        .otherwise(pl.lit(NO_SEND))
    )
    computed = {
        "window_hours": window,
        "is_attributed": attributed,
        "reason": reason,
        **{name: pl.when(known).then(pl.col(name)) for name in _BEST},
    }
    return [
        computed.get(name, pl.col(name)).cast(dtype).alias(name) for name, dtype in ATTRIBUTED_EVENTS.schema.items()
    ]
