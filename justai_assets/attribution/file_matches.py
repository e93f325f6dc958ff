"""Files matched: every custom event with its send, by user id, before any text is fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from justai_assets.attribution.engine.latest_sends import EVENT, SEND, Latest
from justai_assets.attribution.engine.matches import Judged, Matches, match
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.engine.person_keys import check, key
from justai_assets.attribution.engine.record_buckets import Buckets, Filled, People, Records, fill
from justai_assets.attribution.event_files import COMPLETE, Source
from justai_assets.attribution.rule import DAY_US, HOUR_US, Rule
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.placeholders import is_placeholder
from justai_assets.contract.reasons import NO_IDENTITY, NO_SEND, OUTSIDE_WINDOW
from justai_assets.contract.tables import UTC_TIMESTAMP


@dataclass(frozen=True)
class EventDays:
    """The event days asked for, both ends inclusive, None for open."""

    first: date | None = None
    last: date | None = None

    @property
    def wanted(self) -> pl.Expr:
        """Whether a row has a name and a usable time, on one of the days."""
        expression = COMPLETE
        if self.first is not None:
            expression = expression & (pl.col("event_timestamp") >= _midnight(self.first))
        if self.last is not None:
            expression = expression & (pl.col("event_timestamp") < _midnight(self.last + timedelta(days=1)))
        return expression

    def __contains__(self, day: date) -> bool:
        """Whether the day is asked for."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def touch(self, first: date, last: date) -> bool:
        """Whether one of the days `first` … `last` is asked for."""
        return (self.first is None or self.first <= last) and (self.last is None or first <= self.last)


@dataclass(frozen=True)
class Paired:
    """What came of the custom events.

    Attributes:
        matches: the attributed ones; `ts` is the event's time, `tag` the number of its name.
        names: event names by number.
        custom: custom events of the days.
        reasons: the others, counted by reason.
    """

    matches: Matches
    names: list[str]
    custom: int
    reasons: dict[str, int]


def pair(
    engagement: Sequence[Source], custom: Sequence[Source], days: EventDays, rule: Rule, folder: Path, limits: Limits,
    *, seed: int, say: Callable[[str, float], None],
) -> Paired:  # fmt: skip
    """Match the custom events of the days with the sends of the engagement files.

    A send counts for the reasons when it is on the event's day or one of the three before, as in `attribute_day`.

    Raises:
        KeyCollisionError: two users share a key under this seed.
    """
    events = Buckets(EVENT, folder / "events", resident=limits.resident // 2)
    sends = Buckets(SEND, folder / "sends", resident=limits.resident // 2)
    people = People(sum(source.rows for source in custom))
    categories = pl.Categories.random()
    kept = pl.Series([], dtype=pl.Categorical(categories))  # the numbers are forgotten with the last column of them
    user = pl.col("user_id")
    seen = Filled()
    for number, source in enumerate(custom):
        say("reading custom events", 0.1 * number / len(custom))
        frame = source.scan("event_name", "event_timestamp", "user_id").filter(days.wanted)
        compact = frame.select(
            # Of the sends, those to a placeholder need no look: no event is left to meet them.
            key=pl.when(~is_placeholder(user)).then(key("user_id", seed)),
            check=check("user_id", seed),
            ts=pl.col("event_timestamp").to_physical(),
            tag=pl.col("event_name").cast(pl.Categorical(categories)).to_physical().cast(pl.Int64),
        )
        fill(events, compact, limits, add=people, into=seen)
    names = categories.to_series().to_list()
    del kept
    matches = Matches(sum(source.rows for source in engagement), folder, limits)
    reasons = {NO_IDENTITY: seen.keyless, OUTSIDE_WINDOW: 0, NO_SEND: seen.rows - seen.keyless}
    if seen.earliest is not None and seen.latest is not None:
        first = 0
        earliest = _day_start(seen.earliest) - LOOKBACK_DAYS * DAY_US
        for number, source in enumerate(engagement):
            say("reading sends", 0.1 + 0.2 * number / len(engagement))
            frame = (
                source.scan("event_name", "event_timestamp", "user_id")
                .with_row_index("at")
                .filter(
                    pl.col("event_name").is_in(rule.send_events),
                    pl.col("event_timestamp").is_between(_instant(earliest), _instant(seen.latest)),
                    user.is_not_null(),
                )
                .select(
                    key=key("user_id", seed),
                    check=check("user_id", seed),
                    ts=pl.col("event_timestamp").to_physical(),
                    at=pl.col("at").cast(pl.Int64),
                )
            )
            fill(sends, frame, limits, only=people, offset=first)
            first += source.rows
        say("matching", 0.3)
        windows = np.array([rule.window_for(name) * HOUR_US for name in names], np.int64)
        judge = _Judge(windows, rule)
        for judged in match(sends, events, rule, limits, judge):
            matches.add(judged.found)
            reasons[OUTSIDE_WINDOW] += judged.outside
            reasons[NO_SEND] -= judged.outside + len(judged.found.at)
    return Paired(matches, names, seen.rows, {reason: count for reason, count in reasons.items() if count})


@dataclass(frozen=True)
class _Verdict:
    found: Judged
    outside: int


@dataclass(frozen=True)
class _Judge:
    """Whether the send is inside the event's window; called from several threads."""

    windows: npt.NDArray[np.int64]
    rule: Rule

    def __call__(self, sends: Records, events: Records, latest: Latest) -> _Verdict:
        happened, name = events["ts"][latest.event], events["tag"][latest.event]
        sent = sends["ts"][latest.send]
        inside = self.rule.bounds.holds(happened - sent, self.windows[name])
        known = sent >= _day_start(happened) - LOOKBACK_DAYS * DAY_US
        found = Judged(
            at=sends["at"][latest.send[inside]],
            ts=happened[inside],
            tag=name[inside],
            tie=latest.tie[inside],
            tied_at=sends["at"][latest.tied],
            tied_in=latest.tied_in,
        )
        return _Verdict(found, int(np.count_nonzero(known & ~inside)))


_Microseconds = TypeVar("_Microseconds", int, npt.NDArray[np.int64])


def _day_start(microseconds: _Microseconds) -> _Microseconds:
    return microseconds - microseconds % DAY_US


def _midnight(day: date) -> pl.Expr:
    return pl.lit(datetime(day.year, day.month, day.day), UTC_TIMESTAMP)  # noqa: DTZ001 - the type beside it carries UTC


def _instant(microseconds: int) -> pl.Expr:
    return pl.lit(microseconds, pl.Int64).cast(UTC_TIMESTAMP)
