"""`justai materialize`: days of an org, without the UI."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter


def materialize(
    *,
    org: str,
    first: Annotated[str, Parameter(name="--from")],
    last: Annotated[str, Parameter(name="--to")],
    asset: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True)] = (),
    accept_empty: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Materialize days of an org, upstream first, as one ranged Dagster run.

    Example: `justai materialize --org acme --from 2026-01-01 --to 2026-01-07`

    Days are replaced whole: running it again, or in another order, gives the same rows, and a failure leaves what was
    there. The three days before the range are taken in first where they never were or where something landed since,
    and later days that stand on sends built anew are built again. With DAGSTER_HOME set, the run appears in that
    instance's UI; otherwise it leaves no trace but its tables.

    Parameters
    ----------
    org
        The org's slug.
    first
        First day, YYYY-MM-DD, in UTC.
    last
        Last day, inclusive.
    asset
        Only these, for example unified_events copy_daily report; every table, the results and the report when none is
        given.
    accept_empty
        Empty the days of a door that held records and has no object at all any more; otherwise that fails.
    """
    from justai_assets.contract.days import Days
    from justai_assets.landing import decoder
    from justai_assets.landing.listing import LANDING
    from justai_assets.settings import Settings
    from justai_assets.sources.registry import is_drop, lands

    days = Days.parse(first, last)
    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    if any(is_drop(source) or not lands(source) for source in found.sources.present()):
        # It starts while the rest is imported.
        decoder.start()

    from justai_assets.contract.tables import EXPERIMENT_RESULTS
    from justai_assets.dag.headless import make_report, materialize_days
    from justai_assets.dag.result_assets import REPORT
    from justai_assets.reporting.terminal_tables import output, show_fates
    from justai_assets.storage import Root

    # A root that cannot be one is said here, once, and not by every step of the run.
    for root in (settings.landing, settings.lake):
        Root.parse(root)
    if any(lands(source) for source in found.sources.present()):
        Root.parse(settings.landing).require(LANDING)
    today = datetime.now(UTC).date()
    results = {EXPERIMENT_RESULTS.name, REPORT}
    tables = tuple(name for name in asset if name not in results)
    if (tables or not asset) and not materialize_days(found, days, tables, today=today, accept_empty=accept_empty):
        # The ledger may be that of an earlier run: its numbers are not this run's.
        return 1
    if (results & set(asset) or not asset) and not make_report(found, last=days.last):
        return 1
    show_fates(settings, [found], days, output())
    return 0
