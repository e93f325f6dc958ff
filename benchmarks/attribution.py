"""`justai bench attribution` and `justai bench scale`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from benchmarks.contenders import CONTENDERS, FLOOR
from benchmarks.events import FIRST_DAY, write_events
from benchmarks.process import BenchError, Run, run
from benchmarks.report import Report, Row

Progress = Callable[[str, float], None]
DEFAULT_CONTENDERS: Final = ("engine", FLOOR, "duckdb_asof", "documented_sql", "polars_asof")
SCALES: Final = (1, 3, 10)


def attribution(
    folder: Path,
    *,
    users: int = 1_000_000,
    days: int = 3,
    customs_a_send: float = 0.5,
    contenders: Sequence[str] = DEFAULT_CONTENDERS,
    repeats: int = 3,
    progress: Progress | None = None,
) -> Report:
    """Every contender `repeats` times, in turns, over the same generated files.

    The first of several days is not written: it holds only sends to look back at. Per day there are `users` sends and
    0.34 as many opens and clicks. All contenders must write the same rows.

    Args:
        folder: for the files, about 120 bytes a user and day, and the outputs; the files are kept and used again.
        users: people.
        days: days of events.
        customs_a_send: custom events for each send.
        contenders: names out of CONTENDERS.
        repeats: the table shows medians.
        progress: called with what is being done and the share done.

    Raises:
        BenchError: an unknown contender, one that fails, or two that disagree.
    """
    unknown = [name for name in contenders if name not in CONTENDERS]
    if unknown:
        raise BenchError(f"no contender {', '.join(unknown)}", mend=f"choose from {', '.join(CONTENDERS)}")
    say = progress or (lambda _doing, _share: None)
    say("generating events", 0.0)
    generated = f"events-{users}-{days}-{customs_a_send:g}"
    events = write_events(folder / generated, users, days=days, customs_a_send=customs_a_send)
    first = FIRST_DAY + timedelta(days=min(days - 1, 1))
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for number, name in enumerate(contenders):
            say(name, (repeat * len(contenders) + number) / (repeats * len(contenders)))
            runs[name].append(run(name, events, first, folder / "out"))
    _agree([one for name, some in runs.items() if name != FLOOR for one in some])
    title = f"attribution, {users:,} users, {days} days, {events.rows:,} rows in"
    return Report(title, tuple(Row.of(name, some) for name, some in runs.items()), base=FLOOR if FLOOR in runs else "")


def scale(
    folder: Path,
    *,
    users: int = 500_000,
    scales: Sequence[int] = SCALES,
    skew: float = 0.0,
    repeats: int = 3,
    progress: Progress | None = None,
) -> Report:
    """The engine at 1×, 3× and 10× the data: how time and memory grow.

    Args:
        folder: as for `attribution`.
        users: people at 1×.
        scales: multiples.
        skew: share of all sends and custom events that belong to one user; measured beside the even files.
        repeats: the table shows medians.
        progress: called with what is being done and the share done.
    """
    say = progress or (lambda _doing, _share: None)
    sizes = [(factor, 0.0) for factor in scales] + ([(scales[0], skew)] if skew else [])
    rows = []
    for number, (factor, share) in enumerate(sizes):
        name = f"{factor}×" + (f", {share:.0%} one user" if share else "")
        say(f"generating {name}", number / len(sizes))
        events = write_events(folder / f"events-{users * factor}-3-{share}", users * factor, skew=share)
        say(f"engine at {name}", (number + 0.5) / len(sizes))
        first = FIRST_DAY + timedelta(days=1)
        some = [run("engine", events, first, folder / "out") for _ in range(repeats)]
        _agree(some)
        rows.append(Row.of(name, some, size=events.rows))
    return Report(f"scale, {users:,} users at 1×", tuple(rows), base=rows[0].name)


def _agree(runs: Sequence[Run]) -> None:
    for one in runs[1:]:
        if (one.rows, one.checksum) != (runs[0].rows, runs[0].checksum):
            raise BenchError(
                f"{one.contender} wrote {one.rows:,} rows that are not the {runs[0].rows:,} of {runs[0].contender}"
            )
