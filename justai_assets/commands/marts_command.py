"""`justai marts`: the dbt marts over all orgs, without the UI."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def marts(
    *,
    first: Annotated[str, Parameter(name="--from")],
    last: Annotated[str, Parameter(name="--to")],
) -> int:
    """Build days of the marts over all orgs, as one run of their assets, tests included.

    Example: `justai marts --from 2026-01-01 --to 2026-01-07`

    They lie in the DuckDB file of JUSTAI_MARTS. Days of fct_message_funnel and of what is made of it are send days:
    give the three days before a changed one, too. Tables are replaced day by day; running it again gives the same rows.

    Parameters
    ----------
    first
        First day, YYYY-MM-DD, in UTC.
    last
        Last day, inclusive.
    """
    from justai_assets.contract.days import Days
    from justai_assets.contract.errors import JustAIError
    from justai_assets.dag.headless import build_marts
    from justai_assets.settings import Settings

    settings = Settings.from_environment()
    orgs = list(settings.orgs().by_slug.values())
    if not orgs:
        raise JustAIError(
            f"no usable org file in {settings.orgs_dir}", code="no_usable_org", mend="see justai org check"
        )
    return 0 if build_marts(orgs, Days.parse(first, last)) else 1
