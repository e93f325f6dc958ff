"""`justai bench`: benchmarks anybody can repeat; each reports ratios within one run.

They lie in `benchmarks/` beside the package and are in no wheel: the command needs a checkout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, ParamSpec

import cyclopts
from cyclopts import Parameter

from justai_assets.contract.errors import JustAIError

if TYPE_CHECKING:
    from benchmarks.report import Report

app = cyclopts.App(
    name="bench",
    help=(
        "Benchmarks: the engine, the intake and the doors against what one would run otherwise.\n\n"
        "Example: `justai bench attribution --users 100000`"
    ),
)

FOLDER = Path(".justai/bench")
CHECKOUT: Final = Path(__file__).parents[2]
"""The folder that holds the package; in a checkout, `benchmarks/` too."""

_Given = ParamSpec("_Given")


def _command(run: Callable[_Given, None]) -> Callable[_Given, None]:
    """A command of `justai bench`, which says so where there are no benchmarks to run."""

    @wraps(run)
    def checked(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        # `benchmarks` alone proves nothing: other distributions install a package of that name.
        if not all((CHECKOUT / name).is_file() for name in ("pyproject.toml", "benchmarks/ingest.py")):
            raise JustAIError(
                "the installed package has no benchmarks: `justai bench` runs from a checkout",
                code="no_benchmarks",
                mend="clone the repository, run `make setup` there, then `.venv/bin/justai bench`",
            )
        run(*args, **kwargs)

    app.command(checked)
    return checked


@_command
def attribution(
    *,
    users: int = 1_000_000,
    days: int = 3,
    customs_a_send: float = 0.5,
    repeats: int = 3,
    contender: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    folder: Path = FOLDER,
) -> None:
    """The engine against DuckDB, Polars, the documented SQL and the copying floor, on the same files and rows.

    Example: `justai bench attribution --users 1000000 --contender engine --contender copying_floor`

    Parameters
    ----------
    users
        People; a day has as many sends.
    days
        Days of events; the first of several is looked back at only.
    customs_a_send
        Custom events for each send.
    repeats
        The table shows medians.
    contender
        engine, copying_floor, duckdb_asof, documented_sql, polars_asof, pandas_asof, pyspark_sql; may be repeated.
    folder
        For generated files, kept and used again, and results.
    """
    from benchmarks.attribution import DEFAULT_CONTENDERS
    from benchmarks.attribution import attribution as measure

    with _progress() as progress:
        report = measure(
            folder,
            users=users,
            days=days,
            customs_a_send=customs_a_send,
            contenders=contender or DEFAULT_CONTENDERS,
            repeats=repeats,
            progress=progress,
        )
    _show(report, folder, "attribution")


@_command
def scale(*, users: int = 500_000, skew: float = 0.2, repeats: int = 3, folder: Path = FOLDER) -> None:
    """The engine at 1×, 3× and 10× the data, and with one user who has a share of everything.

    Example: `justai bench scale --users 500000`

    Parameters
    ----------
    users
        People at 1×.
    skew
        Share of all sends and custom events of one user, measured beside.
    repeats
        The table shows medians.
    folder
        For generated files and results.
    """
    from benchmarks.attribution import scale as measure

    with _progress() as progress:
        report = measure(folder, users=users, skew=skew, repeats=repeats, progress=progress)
    _show(report, folder, "scale")


@_command
def ingest(
    *,
    events: int = 1_000_000,
    repeats: int = 3,
    contender: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    folder: Path = FOLDER,
) -> None:
    """From landed webhook files to a committed Delta table, against Polars reading the same files and no more.

    Example: `justai bench ingest --events 1000000 --contender scan_ndjson --contender ingest`

    Parameters
    ----------
    events
        Records of the generated day; about 110 MB of files a million.
    repeats
        The table shows medians.
    contender
        scan_ndjson (lines counted, nothing parsed), parse_needed, parse_all, read_needed, ingest, ingest_drop; may
        be repeated.
    folder
        For generated files, kept and used again, and results.
    """
    from benchmarks.ingest import ingest as measure
    from benchmarks.ingest_contenders import CONTENDERS

    with _progress() as progress:
        report = measure(
            folder, events=events, contenders=contender or tuple(CONTENDERS), repeats=repeats, progress=progress
        )
    _show(report, folder, "ingest")


@_command
def outcomes(
    *,
    sends: int = 1_000_000,
    repeats: int = 3,
    contender: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    folder: Path = FOLDER,
) -> None:
    """A day of message_outcomes beside the attribution of the same day, DuckDB doing the same join, and the floor.

    Example: `justai bench outcomes --sends 10000000 --repeats 1`

    Parameters
    ----------
    sends
        Messages a day; seven days are generated, about 1.1 kB a message of one day.
    repeats
        The table shows medians.
    contender
        message_outcomes, attribution, duckdb_join, floor; may be repeated.
    folder
        For generated tables, kept and used again, and results.
    """
    from benchmarks.outcomes import outcomes as measure
    from benchmarks.outcomes_contenders import CONTENDERS

    with _progress() as progress:
        report = measure(
            folder, sends=sends, contenders=contender or tuple(CONTENDERS), repeats=repeats, progress=progress
        )
    _show(report, folder, "outcomes")


@_command
def collect(*, workers: int = 1, connections: int = 256, rounds: int = 3, paced_seconds: float = 10.0) -> None:
    """The HTTP doors against the same server answering 204 without work, fsync on.

    Example: `justai bench collect --paced-seconds 300`

    Parameters
    ----------
    workers
        Processes of each server.
    connections
        Connections of the load.
    rounds
        How often bare server and doors take turns.
    paced_seconds
        Length of the run at half of the peak, for latency and memory.
    """
    from rich.console import Console

    from benchmarks.collect import bench_collect

    result = bench_collect(workers=workers, connections=connections, rounds=rounds, paced_seconds=paced_seconds)
    for line in result.lines():
        Console(highlight=False, soft_wrap=True).print(line)


@_command
def spark(*, events: int = 1_000_000, lookback_days: int = 0, folder: Path = FOLDER) -> None:
    """A day of attributed_events and unified_events from the assets: local Spark beside Polars, on the same lake.

    Both must write the same rows. Needs Java and the databricks extra.

    Example: `justai bench spark --events 1000000 --lookback-days 3`

    Parameters
    ----------
    events
        Engagement and custom events of the day.
    lookback_days
        Days before it with as many events each, 0 to 3.
    folder
        For generated files and the lake.
    """
    from rich.console import Console

    from benchmarks.spark import spark as measure

    with _progress() as progress:
        lines = measure(folder, events=events, lookback_days=lookback_days, progress=progress)
    for line in lines:
        Console(highlight=False, soft_wrap=True).print(line, markup=False)


@_command
def share(
    *,
    rows: int = 4_000_000,
    files: int = 40,
    days: int = 20,
    layout: Annotated[tuple[str, ...], Parameter(negative=())] = (),
) -> None:
    """The Delta Sharing mirror against downloading and rewriting the same files; then an unchanged share, and one day.

    Example: `justai bench share --rows 20000000 --files 200 --layout partitioned`

    Parameters
    ----------
    rows
        Rows of the shared table.
    files
        Its files.
    days
        Days it spans.
    layout
        partitioned, view, unpartitioned; may be repeated, all by default.
    """
    from rich.console import Console

    from benchmarks import share_mirror as measure

    unknown = sorted(set(layout) - set(measure.LAYOUTS))
    if unknown:
        raise JustAIError(
            f"{unknown[0]} is no layout", code="unknown_layout", mend=f"choose among {', '.join(measure.LAYOUTS)}"
        )
    for one in layout or measure.LAYOUTS:
        for line in measure.bench(rows, files, days, one):
            Console(highlight=False, soft_wrap=True).print(line, markup=False)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda doing, share: bar.update(task, description=doing, completed=share)


def _show(report: Report, folder: Path, name: str) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(report.table(), markup=False)
    data, picture = report.write(folder, name)
    console.print(f"written: {data}, {picture}", markup=False)
