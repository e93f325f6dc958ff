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
) -> int:
    """Materialize days of an org, upstream first, as one ranged Dagster run.

    Example: `justai materialize --org acme --from 2026-01-01 --to 2026-01-07`

    Days are replaced whole: running it again gives the same rows, and a failure leaves what was there. With
    DAGSTER_HOME set, the run appears in that instance's UI; otherwise it leaves no trace but its tables.

    Parameters
    ----------
    org
        The org's slug.
    first
        First day, YYYY-MM-DD, in UTC.
    last
        Last day, inclusive.
    asset
        Only these tables, for example unified_events attribution_metrics; all when none is given.
    """
    from justai_assets.contract.days import Days
    from justai_assets.dag.headless import materialize_days
    from justai_assets.settings import Settings
    from justai_assets.show import output, show_fates
    from justai_assets.storage import Root

    days = Days.parse(first, last)
    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    # A root that cannot be one is said here, once, and not by every step of the run.
    for root in (settings.landing, settings.lake):
        Root.parse(root)
    is_done = materialize_days(found, days, asset, today=datetime.now(UTC).date())
    show_fates(settings, [found], days, output())
    return 0 if is_done else 1
