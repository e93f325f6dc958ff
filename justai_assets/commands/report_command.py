"""`justai report`: what won, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def report(
    *,
    org: str,
    first: Annotated[str | None, Parameter(name="--from")] = None,
    last: Annotated[str | None, Parameter(name="--to")] = None,
    out: Path = Path("report.html"),
) -> None:
    """Judge an org's experiments and write the report: one file, no network, no person.

    Example: `justai report --org acme --from 2026-01-01 --to 2026-01-30 --out report.html`

    Without --from every template is judged from its test's first day on, as the platform does, and the funnel shows 30
    days. With --from the sends of that range are judged and no others: a range chosen after seeing numbers is good for
    one look, and the report says so. It reads the lake and changes nothing there. Numbers that moved are listed for the
    time since the last report that the platform itself made.

    Parameters
    ----------
    org
        The org's slug.
    first
        First send day judged, YYYY-MM-DD, in UTC; each test's own first day when not given.
    last
        Last send day, inclusive; the newest day that holds events when not given.
    out
        The file to write.
    """
    from datetime import UTC, datetime

    from rich.console import Console

    from justai_assets.contract.days import Days, parse_day
    from justai_assets.contract.errors import JustAIError
    from justai_assets.experiments.experiment_start import shown_days, starts_of
    from justai_assets.experiments.false_discovery import DECIDED_ALONE
    from justai_assets.experiments.org_results import judge, last_days
    from justai_assets.lake.store import Lake
    from justai_assets.reporting.html_report import render_report
    from justai_assets.reporting.report_files import previous_report
    from justai_assets.reporting.report_input import report_data
    from justai_assets.settings import Settings

    now = datetime.now(UTC)
    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    lake = Lake(settings.lake_to_read())
    end = parse_day(last) if last else now.date()
    days = last_days(found, lake, end)
    if days is None:
        raise JustAIError(
            f"{org} has no event up to {end}", code="no_events", mend=f"run justai materialize --org {org} first"
        )
    days = Days(parse_day(first) if first else days.first, end if last else days.last)
    if days.first < found.start_date:
        raise JustAIError(f"{org} starts on {found.start_date}", code="report_before_start", mend="give a later --from")
    starts = None if first else starts_of(found, lake, days.last)
    days = days if starts is None else shown_days(days, starts)
    judged = judge(found, lake, days, starts=starts)
    data = report_data(
        found, lake, judged, generated_at=now, previous_at=previous_report(lake.root, org, now)
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render_report(data), encoding="utf-8")
    console = Console(highlight=False, soft_wrap=True)
    for one in judged.results:
        console.print(f"{one.plan.template}: {one.decision.sentence}", markup=False)
    if judged.discoveries is not None:
        console.print(judged.discoveries.sentence, markup=False)
    elif len(judged.results) > 1:
        console.print(DECIDED_ALONE, markup=False)
    console.print(f"{out}: sends of {days}, {out.stat().st_size:,} bytes", markup=False)
