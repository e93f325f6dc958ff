"""`justai explain`: from a number down to messages, landing objects and the rule."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def explain(
    *,
    org: str,
    message_id: str | None = None,
    metric: str | None = None,
    first: Annotated[str | None, Parameter(name="--from")] = None,
    last: Annotated[str | None, Parameter(name="--to")] = None,
) -> None:
    """Explain a message, or a number: of the report, the terminal and the marts, or of a day of events.

    Example: `justai explain --org acme --metric template=welcome-email,metric=purchase,send_date=2026-01-05`

    A number is recounted from the messages and events below it, which are listed with their landing objects. Nothing
    about a person is shown.

    Parameters
    ----------
    org
        The org's slug.
    message_id
        A message: all its events, and why each custom event is or is not its.
    metric
        A number. template=…,metric=…,send_date=… is one of a send cohort; arm=, copy= and window= are optional.
        template=…,event=…,date=… is one of a day of events. A metric or event is open, click, unsubscribe, or a name.
    first
        With --message-id: first day to look at, YYYY-MM-DD; all days when not given.
    last
        Last day, inclusive.
    """
    from rich.console import Console

    from justai_assets.contract.days import Days, parse_day
    from justai_assets.contract.errors import JustAIError
    from justai_assets.lake.store import Lake
    from justai_assets.reporting.explain_cohort import CohortFigure, explain_cohort
    from justai_assets.reporting.explain_event import Number, explain_message, explain_number
    from justai_assets.settings import Settings

    if (message_id is None) == (metric is None):
        raise JustAIError("nothing to explain", code="nothing_to_explain", mend="give either --message-id or --metric")
    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    lake = Lake(settings.lake_to_read())
    days = None
    if first or last:
        begin = parse_day(first) if first else found.start_date
        days = Days(begin, parse_day(last) if last else max(begin, parse_day("9999-12-31")))
    if message_id is not None:
        lines = explain_message(found, lake, message_id, days)
    elif "send_date=" in (metric or ""):
        lines = explain_cohort(found, lake, CohortFigure.parse(metric or ""))
    else:
        lines = explain_number(found, lake, Number.parse(metric or ""))
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)
