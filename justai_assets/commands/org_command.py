"""`justai org`: the org files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

if TYPE_CHECKING:
    from datetime import date

    from justai_assets.orgs.new_org import Answers
    from justai_assets.settings import Settings

app = cyclopts.App(
    name="org",
    help="Org files: one YAML file per org says which doors it has.\n\nExample: `justai org check acme`",
)


@app.command
def check(*slugs: str) -> int:
    """Validate org files, secrets included; every mistake is named with its file, key and mend.

    Example: `justai org check acme`

    Parameters
    ----------
    slugs
        The orgs to check; all of JUSTAI_ORGS_DIR when none is given.
    """
    from rich.console import Console
    from rich.markup import escape

    from justai_assets.orgs.org_loader import load_orgs
    from justai_assets.orgs.org_warnings import doubts
    from justai_assets.settings import Settings

    settings = Settings.from_environment()
    only = slugs or settings.only
    orgs = load_orgs(settings.orgs_dir, only=only, check_secrets=True)
    out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    for org in orgs.by_slug.values():
        doors = ", ".join(dict.fromkeys((org.engagement, *org.custom)))
        out.print(f"[green]ok[/]    {org.slug}: since {org.start_date}, {doors}")
        for door in org.unread_sources:
            out.print(
                f"      {org.slug}: sources.{door} is observed but read by no class; name it under custom to use it"
            )
        for door, mend in org.closed_sources.items():
            out.print(f"      {org.slug}: the HTTP door of {door} accepts nothing; {mend} (sources.{door})")
        for doubt in doubts(org):
            out.print(f"      {org.slug}: {doubt}", markup=False)
    for error in orgs.broken.values():
        for line in str(error).splitlines():
            err.print(f"[red]error[/] {escape(line)}", markup=True)
    if not orgs.by_slug and not orgs.broken:
        err.print(f"no org file in {settings.orgs_dir}; write <slug>.yaml there, or set JUSTAI_ORGS_DIR")
        return 1
    return 1 if orgs.broken else 0


@app.command
def new(
    slug: str,
    *,
    engagement: str | None = None,
    custom: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True)] = (),
    event: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    share_table: str | None = None,
    template: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    start_date: str | None = None,
    window_hours: int = 24,
) -> None:
    """Write the file of a new org and say what to do next; what is not given is asked at a terminal.

    Example: `justai org new acme --engagement iterable_webhooks --custom journey_webhooks --event 290146=purchase`

    Parameters
    ----------
    slug
        Its name in every path: lower-case letters, digits, hyphens.
    engagement
        The one source of sends, opens and clicks; `justai connect --help` names the sources.
    custom
        Sources of custom events.
    event
        A Journey's event, as workflowId=name; may be repeated.
    share_table
        The shared table, as share.schema.table, of a Delta Share.
    template
        A template to measure, as id,treatment=TEMPLATE_ID/CAMPAIGN_ID with control=…/…, key_metric=… and
        control_share=… behind it; may be repeated.
    start_date
        First event day, YYYY-MM-DD. Default: the first landed day, or three days before today (UTC).
    window_hours
        The attribution window, 1 to 72.
    """
    import sys
    from dataclasses import replace
    from datetime import UTC, date, datetime

    from rich.console import Console

    from justai_assets.contract.days import parse_day
    from justai_assets.orgs.new_org import Answers, NewOrgError, create, first_day, next_steps, template_of
    from justai_assets.orgs.org_model import with_people
    from justai_assets.settings import Settings
    from justai_assets.sources.registry import SOURCES

    if engagement is None:
        if not sys.stdin.isatty():
            known = ", ".join(one.name for one in SOURCES.values() if one.brings_engagement)
            raise NewOrgError("no engagement source was given", mend=f"give --engagement, one of {known}")
        engagement = _ask("Source of sends, opens and clicks", with_people()[0])
        if engagement in with_people():
            usual = next(name for name, one in SOURCES.items() if "events" in one.asks)
            custom = custom or tuple(_ask("Sources of custom events (space between)", usual).split())
    asked = {name: SOURCES[name].asks for name in (engagement, *custom) if name in SOURCES}
    if not event and (needing := [name for name, asks in asked.items() if "events" in asks]):
        if not sys.stdin.isatty():
            raise NewOrgError(f"{needing[0]} needs its events", mend="give --event workflowId=name")
        event = tuple(_ask("Journey events, as workflowId=name (space between)", "").split())
    if any("share_table" in asks for asks in asked.values()) and share_table is None and sys.stdin.isatty():
        share_table = _ask("Shared table (share.schema.table)", "")
    events = {}
    for item in event:
        workflow, equals, name = item.partition("=")
        if not equals or not workflow or not name:
            raise NewOrgError(f"--event {item!r} is not workflowId=name", mend="for example 290146=purchase")
        events[workflow] = name
    settings = Settings.from_environment()
    templates = tuple(template_of(item) for item in template)
    answers = Answers(slug, date.min, engagement, custom, events, share_table, window_hours, templates)
    first = parse_day(start_date) if start_date else first_day(_landed(settings, answers), datetime.now(UTC).date())
    org = create(settings.orgs_dir, replace(answers, start_date=first))
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(f"wrote {settings.orgs_dir / f'{org.slug}.yaml'}")
    if start_date is None:
        out.print(f"start_date is {first}; events before it are kept, and are read once start_date is moved back")
    for number, step in enumerate(next_steps(org), start=1):
        out.print(f"{number}. {step}")


def _landed(settings: Settings, answers: Answers) -> list[date]:
    from justai_assets.landing.listing import days_and_strays
    from justai_assets.orgs.org_model import SLUG
    from justai_assets.sources.registry import landings
    from justai_assets.storage import Root

    landing = Root.parse(settings.landing)
    if not SLUG.fullmatch(answers.slug):
        return []  # which `create` says
    doors = [door for door in (answers.engagement, *answers.custom) if door in landings()]
    return [day for door in doors for day in days_and_strays(landing, door, answers.slug)[0]]


def _ask(question: str, default: str) -> str:
    return input(f"{question}{f' [{default}]' if default else ''}: ").strip() or default
