"""The sends' text, fetched late: one pass in the order of the rows, only for sends that caused something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from justai_assets.attribution.engine.matches import TIED, WAITING_PARTS, Found, Matches
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.event_files import Source
from justai_assets.attribution.rule import DAY_US, Rule

IDS: Final = ("message_id", "template_id", "campaign_id")


def gather(
    sources: Sequence[Source],
    matches: Matches,
    rule: Rule,
    folder: Path,
    limits: Limits,
    *,
    read_all: Callable[[Source], bool],
) -> Iterator[pl.DataFrame]:
    """Every match once, with `ts`, `tag` and the ids of its send.

    The rows of a frame are of one day, as `ts` says.

    Args:
        sources: the files whose rows, counted on from file to file, `matches` speaks of.
        matches: used up.
        rule: decides ties.
        folder: for ties that do not fit in memory.
        limits: chunk size.
        read_all: sources that are read to their end even if nothing in them is wanted, so that a broken page shows.
    """
    ties = _Ties(rule, folder, limits)
    first = 0
    for source in sources:
        end = first + source.rows
        if matches.any_between(first, end) or read_all(source):
            at = first
            for batch in source.scan(*IDS).collect_batches(chunk_size=limits.chunk_rows, maintain_order=True):
                found = matches.before(at + len(batch))
                for part in _by_day(found):
                    picked = batch.select(pl.all().gather(pl.Series(part.at - at)))
                    yield from ties.set_aside(_beside(picked, part))
                at += len(batch)
        first = end
    yield from ties.settled(matches)


def _by_day(found: Found) -> Iterator[Found]:
    """The matches day by day; splitting numbers here is cheaper than splitting text later."""
    days = found.ts // DAY_US
    for day in np.unique(days):
        yield found[days == day]


def _beside(ids: pl.DataFrame, found: Found) -> pl.DataFrame:
    return ids.with_columns(pl.Series("ts", found.ts), pl.Series("tag", found.tag))


class _Ties:
    """Sends at the same microsecond, until all of them have been seen."""

    def __init__(self, rule: Rule, folder: Path, limits: Limits) -> None:
        self._rule = rule
        self._folder = folder
        self._most = limits.chunk_rows
        self._held: list[pl.DataFrame] = []
        self._files: list[Path] = []

    def set_aside(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The frame without the sends of ties, which are kept."""
        tied = frame["ts"] == TIED
        if not tied.any():
            yield frame
            return
        self._held.append(frame.filter(tied).drop("ts"))
        frame = frame.filter(~tied)
        if len(frame):
            yield frame
        if sum(map(len, self._held)) > self._most:
            path = self._folder / f"ties-{len(self._files)}.parquet"
            pl.concat(self._held).write_parquet(path, compression="lz4")
            self._files.append(path)
            self._held.clear()

    def settled(self, matches: Matches) -> Iterator[pl.DataFrame]:
        """The events that waited for a tie, with the ids of the send that wins it."""
        if not matches.waiting.rows:
            return
        sends = [*(frame.lazy() for frame in self._held), *(pl.scan_parquet(path) for path in self._files)]
        small = not self._files and matches.waiting.rows <= self._most
        for part in [None] if small else range(WAITING_PARTS):
            parts = range(WAITING_PARTS) if part is None else [part]
            records = np.concatenate([matches.waiting.read(one) for one in parts])
            if not len(records):
                continue
            waiting = Found(*(np.ascontiguousarray(records[name]) for name in ("at", "ts", "tag")))
            mine = pl.lit(value=True) if part is None else pl.col("tag") % WAITING_PARTS == part
            winners = self._rule.winners(pl.concat(sends).filter(mine).collect(), "tag").rename({"tag": "at"})
            for day in _by_day(waiting):
                events = pl.DataFrame({"at": day.at, "ts": day.ts, "tag": day.tag})
                yield events.join(winners, on="at", how="inner").select(*IDS, "ts", "tag")


_SCHEMA = pl.Schema({**dict.fromkeys(IDS, pl.String()), "ts": pl.Int64(), "row": pl.Int64()})


class Shelf:
    """Frames with a column `row`, given back by range `row // width`.

    About `resident` bytes stay in memory; the rest lies in Parquet files below `folder`.
    """

    def __init__(self, folder: Path, *, width: int, resident: int) -> None:
        self._folder = folder / "shelf"
        self._width = width
        self._resident = resident
        self._held: list[pl.DataFrame] = []
        self._bytes = 0
        self._files: dict[int, list[Path]] = defaultdict(list)

    def put(self, frame: pl.DataFrame) -> None:
        """Keep these rows."""
        self._held.append(frame)
        self._bytes += int(frame.estimated_size())
        if self._bytes > self._resident:
            self._flush()

    def take(self, number: int) -> pl.DataFrame:
        """The rows of one range, in no promised order."""
        mine = pl.col("row") // self._width == number
        parts = [pl.read_parquet(path) for path in self._files.pop(number, [])]
        return pl.concat([_SCHEMA.to_frame(), *parts, *(frame.filter(mine) for frame in self._held)])

    def _flush(self) -> None:
        self._folder.mkdir(exist_ok=True)
        rows = pl.concat(self._held).with_columns(range=pl.col("row") // self._width)
        self._held.clear()
        self._bytes = 0
        for (number,), part in rows.partition_by("range", as_dict=True, include_key=False).items():
            path = self._folder / f"{number}-{len(self._files[number])}.parquet"
            part.write_parquet(path, compression="lz4", statistics=False)
            self._files[number].append(path)
