"""`justai attribute`: Parquet in, the unified stream out, one folder a day."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.engine.person_keys import KeyCollisionError, seeds
from justai_assets.attribution.engine.record_buckets import remove, scratch
from justai_assets.attribution.engine.send_texts import gather
from justai_assets.attribution.event_files import (
    CUSTOM_COLUMNS,
    ENGAGEMENT_COLUMNS,
    Copies,
    Source,
    expand,
    sources,
)
from justai_assets.attribution.file_matches import EventDays, Paired, pair
from justai_assets.attribution.page_copies.copyable_row_groups import RowGroup, row_groups
from justai_assets.attribution.page_copies.day_files import DayFiles
from justai_assets.attribution.rule import Rule
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.scratch import scratch_folder

Progress = Callable[[str, float], None]


DAMAGE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises over a file that is not as its footer says. A panic is no Exception: only these words catch it."""


class OutputError(JustAIError):
    """An output folder that cannot take the result."""

    code = "attribution_output"


@dataclass(frozen=True)
class Summary:
    """What `attribute_files` read and wrote; engagement + attributed = rows written.

    Attributes:
        engagement: engagement rows written (those of the event days asked for).
        custom: custom events of those days.
        attributed: custom events written.
        unattributed: custom events left out, by reason: no_identity, no_send, outside_window.
        incomplete: rows left out because they have no event_name or no usable event_timestamp, engagement and custom.
        days: event days written, in order, and the rows of each.
        files: files written, relative to the output folder.
        unreadable: input files that cannot be read to their end; they were left out.
    """

    engagement: int
    custom: int
    attributed: int
    unattributed: dict[str, int]
    incomplete: int
    days: dict[date, int]
    files: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` when the block ends, and is removed when it fails.

    Raises:
        OutputError: `out` holds something and `overwrite` is false, or it is a file.
    """
    if out.resolve() == Path.cwd():
        raise OutputError(f"{out} is the working directory", mend="name a folder in it, for example unified")
    # Through a link: what is replaced is the folder it points to, and the link stays.
    out = out.resolve()
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", mend="name a folder")
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty", mend="name an empty folder or ask to overwrite")
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.{os.getpid()}-", dir=out.parent))
    try:
        (stage / "out").mkdir()
        yield stage / "out"
        had = out.is_dir()
        if had:
            out.rename(stage / "old")
        try:
            (stage / "out").rename(out)
        except OSError:
            if had:
                (stage / "old").rename(out)
            raise
    finally:
        remove(stage)


def attribute_files(
    esp: str,
    custom: str,
    out: Path,
    rule: Rule,
    *,
    first: date | None = None,
    last: date | None = None,
    overwrite: bool = False,
    memory_budget: int | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
    is_distrustful: bool = False,
) -> Summary:
    """Write the unified stream of any Parquet to `out/event_date=YYYY-MM-DD/part-*.parquet`.

    Args:
        esp: path, folder or glob of engagement events: event_name, event_timestamp, message_id, template_id,
            campaign_id, user_id.
        custom: the same for custom events: event_name, event_timestamp, user_id.
        out: output folder; appears whole or not at all.
        rule: windows and send events.
        first: first event day written; earlier sends still count.
        last: last event day written.
        overwrite: replace what `out` holds.
        memory_budget: bytes the work may take.
        limits: how the work is cut, instead of what follows from the budget.
        progress: called with what is being done and the share done, 0 … 1.
        is_distrustful: read copies that the decoder makes of all files, instead of the files. It costs a second
            reading; without it, that is done when a file breaks the first try.

    Engagement rows pass through; custom events appear when a send of the same user_id precedes them inside the window
    (see `Rule`), under that send's ids. A null or blank user_id, or a placeholder such as `undefined`, matches nothing.
    A file that cannot be read to its end is left out and named, a row with an impossible time or with text that is not
    UTF-8 is left out and counted.

    Raises:
        InputError: an input that cannot be read; OutputError: an output that cannot be written.
    """
    if any(path.resolve().is_relative_to(out.resolve()) for path in (*expand(esp), *expand(custom))):
        raise OutputError(f"{out} holds an input", mend="name another folder for the output")
    days = EventDays(first, last)
    for is_for_all in [True] if is_distrustful else [False, True]:
        with scratch_folder("attribute") as folder:
            copies = Copies(folder, is_for_all)
            engagement = sources(esp, ENGAGEMENT_COLUMNS, copies)
            events = sources(custom, CUSTOM_COLUMNS, copies)
            try:
                summary = _attributed(
                    engagement, events, out, rule, days, limits, memory_budget, progress, overwrite=overwrite
                )
            except DAMAGE:
                if is_for_all:
                    raise
                continue
        return replace(summary, unreadable=tuple(map(str, copies.unreadable)))
    raise AssertionError("the second try returns or raises")


def _attributed(
    engagement: list[Source],
    events: list[Source],
    out: Path,
    rule: Rule,
    days: EventDays,
    limits: Limits | None,
    memory_budget: int | None,
    progress: Progress | None,
    *,
    overwrite: bool,
) -> Summary:
    limits = limits or Limits.of(sum(source.rows for source in (*engagement, *events)), memory_budget)
    say = progress or (lambda _doing, _share: None)
    with staged(out, overwrite=overwrite) as stage, scratch(stage.parent) as spill:
        paired = _paired(engagement, events, days, rule, spill, limits, say)
        day_files = DayFiles(spill, chunk_rows=limits.chunk_rows)
        say("passing engagement events through", 0.5)
        passed, copied = _pass_through(engagement, days, day_files, limits)
        say("fetching the messages", 0.6)
        names = pl.Series("event_name", paired.names, pl.String)
        for frame in gather(
            engagement, paired.matches, rule, spill, limits, read_all=lambda source: not copied.isdisjoint(source.paths)
        ):
            rows = _unified(frame, names)
            day_files.add(rows.item(0, "event_date"), rows)
        say("writing the days", 0.9)
        written, files = day_files.write_days(stage)
        incomplete = sum(source.incomplete() for source in (*engagement, *events))
    return Summary(passed, paired.custom, paired.matches.rows, paired.reasons, incomplete, written, files)


def _paired(
    engagement: list[Source],
    custom: list[Source],
    days: EventDays,
    rule: Rule,
    folder: Path,
    limits: Limits,
    say: Progress,
) -> Paired:
    for attempt, seed in enumerate(seeds()):
        try:
            return pair(engagement, custom, days, rule, folder / str(attempt), limits, seed=seed, say=say)
        except KeyCollisionError:
            remove(folder / str(attempt))
    raise AssertionError("users share 64-bit keys under every seed")


def _pass_through(
    engagement: list[Source], days: EventDays, day_files: DayFiles, limits: Limits
) -> tuple[int, set[Path]]:
    """Copy or rewrite the engagement rows of the days: how many, and the files that something was copied from."""
    rows, copied, rewritten = 0, set[Path](), []
    for source in (one for some in engagement for one in some.each()):
        (path,) = source.paths
        runs: list[tuple[int, int]] = []
        for group in row_groups(path, at_least=limits.copy_rows):
            if isinstance(group, RowGroup):
                if group.day in days:
                    day_files.copy(group)
                    copied.add(path)
                    rows += group.rows
            elif group.days is None or days.touch(*group.days):
                if runs and sum(runs[-1]) == group.first:
                    runs[-1] = (runs[-1][0], runs[-1][1] + group.rows)
                else:
                    runs.append((group.first, group.rows))
        scanned = source.scan(*ENGAGEMENT_COLUMNS[:-1])
        rewritten += [scanned.slice(start, length) for start, length in runs]
    if rewritten:
        columns = [
            pl.col("event_timestamp").dt.date().alias(name) if name == "event_date" else pl.col(name)
            for name in UNIFIED_EVENTS.schema
        ]
        rows += day_files.sink(pl.concat(rewritten).filter(days.wanted).select(columns))
    return rows, copied


def _unified(frame: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Rows of UNIFIED_EVENTS from gathered matches."""
    when = pl.col("ts").cast(UNIFIED_EVENTS.schema["event_timestamp"])
    return frame.select(
        names.gather(frame["tag"]),
        when.alias("event_timestamp"),
        when.dt.date().alias("event_date"),
        "message_id",
        "template_id",
        "campaign_id",
    )
