"""`justai attribute`: the attribution engine on any Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token
from cyclopts.validators import Number


def _whole_hours(_: type, tokens: Sequence[Token]) -> int:
    # Cyclopts would round 1.5 to a window that nobody asked for.
    return int(tokens[0].value, base=10)


def attribute(
    *,
    esp: str,
    custom: str,
    out: Path,
    window_hours: Annotated[int, Parameter(converter=_whole_hours, validator=Number(gte=1, lte=72))] = 24,
    window: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    send_event: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    first: Annotated[str | None, Parameter(name="--from")] = None,
    last: Annotated[str | None, Parameter(name="--to")] = None,
    overwrite: bool = False,
) -> None:
    """Attribute custom events to the latest prior send and write the unified stream.

    Example: `justai attribute --esp 'esp/*.parquet' --custom 'custom/*.parquet' --window-hours 24 --out unified`

    Parameters
    ----------
    esp
        Parquet file, folder or glob of engagement events: event_name, event_timestamp, message_id, template_id,
        campaign_id, user_id.
    custom
        The same for custom events: event_name, event_timestamp, user_id. Times are timestamps, not text; without a zone
        they are UTC. A user_id that is null, blank or a placeholder (undefined, 0, n/a) matches nothing.
    out
        Folder for event_date=…/part-*.parquet with the six contract columns; must be absent or empty. event_date is
        in the files too: pandas.read_parquet and pyarrow.parquet.read_table want partitioning=None.
    window_hours
        A send counts when it is less than this many hours before the event, 1 to 72.
    window
        A window of its own for an event name, as name=hours; may be repeated.
    send_event
        An event name that counts as a send; may be repeated. Default: emailSend, smsSend, pushSend.
    first
        First event day to write; earlier sends still count.
    last
        Last event day to write.
    overwrite
        Replace what the folder holds.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from justai_assets.attribution.attribution_process import attribute_apart
    from justai_assets.attribution.rule import Rule
    from justai_assets.contract.days import Days, parse_day
    from justai_assets.contract.errors import UsageError
    from justai_assets.contract.events import DEFAULT_SEND_EVENTS, MAX_WINDOW_HOURS
    from justai_assets.settings import memory_budget

    for option, pattern in (("--esp", esp), ("--custom", custom)):
        if not pattern.strip():
            raise UsageError(f"{option} is empty", mend="give a file, a folder, or a quoted glob")
    windows = {}
    for item in window:
        name, _, hours = item.rpartition("=")
        # int() reads the digits of every script, and isdigit() also what int() does not: ².
        if not name or not (hours.isascii() and hours.isdigit() and 1 <= int(hours) <= MAX_WINDOW_HOURS):
            raise UsageError(
                f"--window {item!r} is not name=hours, 1 to {MAX_WINDOW_HOURS}", mend="for example --window purchase=72"
            )
        windows[name] = int(hours)
    start, end = (parse_day(day) if day else None for day in (first, last))
    if start and end:
        Days(start, end)  # which refuses a range that ends before it begins
    budget = memory_budget()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    shown = Console(stderr=True)
    # Drawn for a person only: piped, it would put an empty line before an error.
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("reading", total=1.0)
        summary = attribute_apart(
            esp,
            custom,
            out,
            Rule(window_hours, windows, send_event or DEFAULT_SEND_EVENTS),
            first=start,
            last=end,
            overwrite=overwrite,
            memory_budget=budget,
            progress=lambda doing, share: bar.update(task, description=doing, completed=share),
        )
    console = Console(highlight=False, soft_wrap=True)
    rows = sum(summary.days.values())
    console.print(f"{rows:,} rows in {len(summary.files)} files of {len(summary.days)} days: {out}")
    console.print(f"engagement passed through {summary.engagement:,}; custom events {summary.custom:,}")
    reasons = "".join(f", {reason} {count:,}" for reason, count in sorted(summary.unattributed.items()))
    console.print(f"attributed {summary.attributed:,}{reasons}")
    if summary.incomplete:
        console.print(f"left out, without a name or a usable time, or not UTF-8: {summary.incomplete:,}")
    for path in summary.unreadable:
        shown.print(f"left out, cannot be read to its end: {path}", markup=False, highlight=False, soft_wrap=True)
