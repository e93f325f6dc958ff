"""`justai status`: how far every door of every org has come."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators


def status(
    *,
    org: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True)] = (),
    days: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=400))] = 7,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show per org and door the last file, the lag, the last day with data and the last one built, and failed days.

    Example: `justai status --org acme --days 14`

    `built to` (complete, in JSON) is the last day with data whose build is younger than its newest file. A share is
    shown as its mirror knows it: its last file is when the mirror last took something. Webhook events before the org's
    `start_date` are counted, whenever they came, with the day to which it would have to be moved. A megabyte of undated
    objects is read for each door, the newest first; what is left is said, and `justai doctor` reads all.

    Failed days are known to a Dagster instance only: set DAGSTER_HOME to see them. Exit 1 when an org file is broken,
    a door cannot be listed, or the org folder, a root or the instance is not there. Nothing is written.

    Parameters
    ----------
    org
        Only these orgs; all of JUSTAI_ORGS_DIR when none is given.
    days
        How many days to look at, today included, 1 to 400; each that has files is one listing a door. A door that has
        none in them is shown with its newest day before.
    json
        One JSON object a line instead of a table, times in UTC.
    """
    import os
    from datetime import UTC, datetime

    from rich.console import Console

    from justai_assets.landing.listing import LANDING
    from justai_assets.quality.org_status import read_status, show_status, status_lines
    from justai_assets.reporting.terminal_tables import output
    from justai_assets.settings import Settings
    from justai_assets.storage import Root

    settings = Settings.from_environment()
    settings.require_orgs_dir()
    Root.parse(settings.landing).require(LANDING)
    settings.lake_to_read()
    orgs = settings.orgs()
    chosen = [orgs.get(slug) for slug in org] if org else list(orgs.by_slug.values())
    now = datetime.now(UTC)
    failed = None
    if os.environ.get("DAGSTER_HOME"):
        from justai_assets.dag.failed_days_check import failed_by_org
        from justai_assets.dag.instance_home import database_errors, opening_errors, require_used_home

        require_used_home()
        with database_errors(), opening_errors():
            failed = failed_by_org(chosen, today=now.date())
    found = read_status(settings, chosen, now=now, days_back=days)
    console = output()
    if json:
        for line in status_lines(found, failed, now):
            console.out(line, highlight=False)
    else:
        show_status(found, failed, now, console)
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    problems = [*(found.errors.values()), *(() if org else orgs.broken.values())]
    for error in problems:
        err.print(f"justai: {error}", markup=False)
    return 1 if problems else 0
