"""`justai demo`: sample orgs through the doors, a week materialized, the result shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

HOME = Path(".justai/demo")


def demo(
    *,
    home: Path = HOME,
    sends: Annotated[int, Parameter(validator=Number(gte=1))] = 3000,
    last: str | None = None,
) -> int:
    """Land a realistic week for sample orgs, run the real assets over it, and show what won.

    Example: `justai demo --sends 1000`

    The week has what life has: late events, redeliveries, broken lines, a stale part file, an aborted job's leftovers.
    When it ends yesterday, a send and a purchase are posted to the HTTP doors besides, and become rows of today.
    Afterwards `justai ui` opens the Dagster UI on the same data.

    Parameters
    ----------
    home
        Folder for everything the demo makes; emptied first, if a demo made it.
    sends
        Messages per template and day. Of far fewer than 3000 the broken lines are over 1 %, which the doctor calls a
        problem and not a warning.
    last
        Last day of the week, YYYY-MM-DD; yesterday (UTC) when not given.
    """
    import os
    import shlex
    import time
    from datetime import UTC, datetime, timedelta

    from rich.console import Console

    from justai_assets.contract.days import Days, parse_day
    from justai_assets.dag.headless import make_report, materialize_days
    from justai_assets.dag.marts_assets import parse_project
    from justai_assets.demo.demo_home import DemoPlace
    from justai_assets.demo.demo_share import shared
    from justai_assets.demo.demo_week import land_week
    from justai_assets.demo.http_events import post_through_doors
    from justai_assets.demo.sample_orgs import WEBHOOK_ORG
    from justai_assets.reporting.report_files import report_prefix
    from justai_assets.reporting.terminal_tables import (
        output,
        show_caused,
        show_decisions,
        show_fates,
        show_revenue,
        show_templates,
    )
    from justai_assets.settings import Settings

    began = time.monotonic()
    console = output()
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    today = datetime.now(UTC).date()
    end = parse_day(last) if last else today - timedelta(days=1)
    days = Days(end - timedelta(days=6), end)
    place = DemoPlace(home.resolve())
    place.fresh()
    os.environ.update(place.environment())
    progress.print(f"[bold]Landing[/] a week of events ({days}) in {home / 'landing'}")
    land_week(place, days, sends_a_day=sends, with_share=True)
    settings = Settings.from_environment()
    is_done = True
    with shared(place):
        orgs = list(settings.orgs(check_secrets=True).by_slug.values())
        for org in orgs:
            progress.print(f"[bold]Materializing[/] {org.slug}, {days}, as one ranged Dagster run")
            is_done = materialize_days(org, days, today=today, console=progress) and is_done
            progress.print(f"[bold]Judging[/] the experiments of {org.slug}, and writing its report")
            is_done = make_report(org, console=progress) and is_done
    posted = None
    if end == today - timedelta(days=1):
        # After the judging, which would otherwise take a day of two events for the week's last.
        progress.print("[bold]Posting[/] a send and a purchase to the HTTP doors, and materializing today")
        posted = post_through_doors(place)
        now = datetime.now(UTC).date()
        org = settings.orgs().get(WEBHOOK_ORG)
        is_done = materialize_days(org, Days(today, now), today=now, console=progress) and is_done
    progress.print("[bold]Parsing[/] the dbt project, so that the UI shows the marts")
    parse_project()
    console.print()
    show_templates(settings, orgs, days, console)
    show_revenue(settings, orgs, days, console)
    show_fates(settings, orgs, days, console)
    show_decisions(settings, orgs, days, console)
    if posted:
        is_done = show_caused(settings, WEBHOOK_ORG, posted.message_id, posted.curl(), console) and is_done
        console.print("To post another, open the doors again in a shell that sourced the line at the end:")
        journal = shlex.quote(str(place.home / "journal"))
        console.print(f"  justai collect --journal {journal}\n", markup=False, soft_wrap=True)
    for org in orgs:
        console.print(f"Report: {home / 'lake' / report_prefix(org.slug) / 'latest.html'}")
    seconds = time.monotonic() - began
    look = "justai ui" if home == HOME else f"justai ui --home {shlex.quote(str(home))}"
    console.print(f"\n{'Done' if is_done else 'Failed'} in {seconds:.0f} s. Tables: {home / 'lake'}.")
    console.print(
        "justai doctor finds what the demo broke on purpose: a few lines a day, a record without time, a stale part."
    )
    console.print(f"Next, in this shell: the line below, and then {look}, or any command of the README and docs/.\n")
    console.print(f"source {shlex.quote(str(home / 'env'))}", markup=False, soft_wrap=True)
    return 0 if is_done else 1
