"""`justai backfill`: days of an org, asked of the Dagster daemon."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import Group, Parameter, validators

SILENCE = timedelta(minutes=3)
"""How long a daemon may be silent while its backfill is awaited: six of its heartbeats."""

_WHICH = Group("Which days", validator=validators.MutuallyExclusive())  # type: ignore[no-untyped-call]  # its class is untyped


def backfill(
    *,
    org: str,
    first: Annotated[str, Parameter(name="--from")],
    last: Annotated[str, Parameter(name="--to")],
    asset: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True)] = (),
    only_failed: Annotated[bool, Parameter(negative=(), group=_WHICH)] = False,
    only_missing: Annotated[bool, Parameter(negative=(), group=_WHICH)] = False,
    only_outdated: Annotated[bool, Parameter(negative=(), group=_WHICH)] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    wait: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ask the Dagster daemon to rebuild days of an org, as ranged runs; all of them, or only what failed.

    Example: `justai backfill --org acme --from 2026-01-01 --to 2026-01-31 --only-failed`

    Needs DAGSTER_HOME, the instance whose daemon runs. Without one, use `justai materialize`. With --only-failed,
    --only-missing or --only-outdated, the same days of the tables below are rebuilt too; good days, and days that an
    unfinished backfill still has before it, are left alone.

    Parameters
    ----------
    org
        The org's slug.
    first
        First day, YYYY-MM-DD, in UTC.
    last
        Last day, inclusive.
    asset
        Only these tables, for example unified_events; all when none is given.
    only_failed
        Only days whose last attempt failed.
    only_missing
        Only days that were never materialized.
    only_outdated
        Only days that were built by other code, another rule of the org file or another salt than now; `justai status`
        lists them.
    dry_run
        Show the days and stop.
    wait
        Return when the backfill has ended; exit 1 when it failed, or when no daemon is heard for three minutes.
    """
    import os
    import time
    from datetime import UTC, datetime

    from justai_assets.contract.days import Days, spans
    from justai_assets.contract.errors import JustAIError
    from justai_assets.dag.backfills import Which, backfill_status, is_daemon_heard, plan_backfill, request_backfill
    from justai_assets.dag.instance_home import instance
    from justai_assets.reporting.terminal_tables import output
    from justai_assets.settings import Settings

    if not os.environ.get("DAGSTER_HOME"):
        raise JustAIError(
            "DAGSTER_HOME is not set", code="no_dagster_home", mend="name the daemon's home, or use justai materialize"
        )
    found = Settings.from_environment().orgs().get(org)
    which: Which = "failed" if only_failed else "missing" if only_missing else "outdated" if only_outdated else "all"
    now = datetime.now(UTC)
    console = output()
    with instance() as home:
        plan = plan_backfill(home, found, Days.parse(first, last), which, asset, today=now.date())
        for key, days in plan.days_by_table.items():
            console.print(f"{'/'.join(key.path)}: {spans(days)} ({len(days)} days)", soft_wrap=True)
        for backfill_id, count in plan.under_way.items():
            fate = "asked for once more" if which == "all" else "left to it"
            console.print(f"backfill {backfill_id} has {count} of these days before it; they are {fate}")
        if not plan.count:
            console.print(f"no day is {which}{' beside these' if plan.under_way else ''}; nothing to do")
            return 0
        if dry_run:
            return 0
        backfill_id = request_backfill(home, plan, now=now)
        console.print(f"backfill {backfill_id} requested; the daemon starts it within half a minute")
        if not wait:
            return 0
        while not (ended := backfill_status(home, backfill_id))[1]:
            time.sleep(2)
            silence = datetime.now(UTC) - SILENCE
            if silence > now and not is_daemon_heard(home, since=silence):
                raise JustAIError(
                    f"backfill {backfill_id} is requested, and no daemon has been heard for {SILENCE.seconds} s",
                    code="no_daemon",
                    mend="start dagster-daemon with the same DAGSTER_HOME, or look at its log; it finds the request",
                )
        console.print(f"backfill {backfill_id}: {ended[0]}")
        return 0 if ended[0] == "COMPLETED_SUCCESS" else 1
