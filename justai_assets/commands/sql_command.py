"""`justai sql`: the attribution and the unified stream, as SQL for the customer's own warehouse."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

_Many = Annotated[tuple[str, ...], Parameter(negative=())]


def sql(
    *,
    dialect: str,
    org: str,
    form: str | None = None,
    content: str | None = None,
    first: Annotated[str | None, Parameter(name="--from")] = None,
    last: Annotated[str | None, Parameter(name="--to")] = None,
    last_days: int | None = None,
    engagement_table: str | None = None,
    custom_table: str | None = None,
    engagement_column: _Many = (),
    custom_column: _Many = (),
    event: _Many = (),
    custom_event: _Many = (),
    zoned: bool | None = None,
    role: str | None = None,
    bucket: str | None = None,
    region: str | None = None,
    view: str | None = None,
    view_version: int = 1,
) -> None:
    """Print the SQL by which a customer joins and scrubs in its own warehouse, with the org's names and windows.

    Example: `justai sql --dialect redshift --org acme --last-days 3`

    The result is the unified stream of six columns; no user leaves the warehouse. The rule is the engine's own. Where
    the org file says that the drop brings custom events alone, the export has those four columns instead.

    Parameters
    ----------
    dialect
        redshift, databricks, snowflake, bigquery or duckdb.
    org
        The org's slug.
    form
        redshift: export (CLEANPATH), manifest (for a role without s3:DeleteObject), view, query. databricks: export
        (the last days: classic compute alone), pyspark (any compute), share (a view for Delta Sharing), view, query.
        Others: view, query. The first is the default; duckdb: query.
    content
        unified_events, or custom_events (event_timestamp, event_date, event_name, user_id_or_email). Default: for
        exports what the org file says of the door, else unified_events.
    first
        First day, YYYY-MM-DD; sends before it are still found. A range of up to 31 days is exported day by day, which
        clears days that became empty too.
    last
        Last day, inclusive.
    last_days
        So many days up to today instead, whenever the script runs. Exports without a range take 3; views take all.
    engagement_table
        Table of sends, opens, clicks. Default: public.iterable (databricks: analytics.iterable_events).
    custom_table
        Table of custom events. Default: public.custom_events; exported as they are: public.custom_metrics (databricks:
        analytics.custom_events).
    engagement_column
        A column of theirs under another name, as ours=theirs, for example event_timestamp=created_at; may be repeated.
    custom_column
        The same for custom events; where they are exported as they are, user_id_or_email=theirs.
    event
        Only these engagement events pass through; may be repeated. Default: all.
    custom_event
        Only these custom events are attributed; may be repeated. Default: all.
    zoned
        Whether event_timestamp holds instants (TIMESTAMPTZ) or naive UTC times. Default: what the warehouse's plain
        TIMESTAMP is: instants in databricks and bigquery, naive elsewhere.
    role
        ARN of the role that Redshift assumes; chained ones with a comma and no space.
    bucket
        Bucket of the drop, when it is not JUSTAI_LANDING's.
    region
        Region of the bucket, when it is not the cluster's.
    view
        Name of the view, without its version.
    view_version
        A changed schema is a new version: the view's name ends in _v2.
    """
    import sys

    from justai_assets.attribution.rule import Rule
    from justai_assets.attribution.sql.customer_tables import CONTENTS, Inputs, checked_columns, default_tables
    from justai_assets.attribution.sql.databricks_export import SHARE
    from justai_assets.attribution.sql.day_span import Span
    from justai_assets.attribution.sql.dialects import DIALECTS, SqlError
    from justai_assets.attribution.sql.script import (
        DEFAULT_FORM,
        DEFAULT_LAST_DAYS,
        DROPS,
        FORMS,
        PLACEHOLDER_ROLE,
        Target,
        script,
    )
    from justai_assets.contract.days import Days
    from justai_assets.landing.drop_place import DropPlace
    from justai_assets.settings import Settings
    from justai_assets.sources.delta_share.spec import SHARE as DELTA_SHARE
    from justai_assets.sources.delta_share.spec import DeltaShare
    from justai_assets.sources.warehouse_drop.spec import DATABRICKS, REDSHIFT

    into = next((one for one in DIALECTS if one == dialect), None)
    if into is None:
        raise SqlError(f"{dialect!r} is not a dialect", mend=f"choose {', '.join(DIALECTS)}")
    shape = next((one for one in FORMS if one == (form or DEFAULT_FORM[into])), None)
    if shape is None:
        raise SqlError(f"{form!r} is not a form", mend=f"choose {', '.join(FORMS)}")
    if (first is None) != (last is None):
        raise SqlError("a range has two ends", mend="give --from and --to, or --last-days")
    days = Days.parse(first, last) if first is not None and last is not None else None
    if days is None and last_days is None and shape in DROPS:
        last_days = DEFAULT_LAST_DAYS
    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    share = found.sources.settings(DELTA_SHARE, DeltaShare)
    door = DATABRICKS.name if into == DATABRICKS.name else REDSHIFT.name
    agreed = found.sources.content(door) if shape in DROPS and door in found.sources.present() else None
    what = next((one for one in CONTENTS if one == (content or agreed or "unified_events")), None)
    if what is None:
        raise SqlError(f"{content!r} is not a content", mend=f"choose {', '.join(CONTENTS)}")
    if what == "custom_events" and (engagement_table or engagement_column or event):
        raise SqlError(
            f"{org}: custom events are exported as they are, and no engagement event is read",
            mend="leave --engagement-table, --engagement-column and --event out, or give --content unified_events",
        )
    remarks: tuple[str, ...] = ()
    if agreed not in (None, what):
        said = f"{org}.yaml says sources.{door}.content: {agreed}; that door refuses {what} whole"
        sys.stderr.write(f"{said}\n")
        remarks = (f"CAUTION: {said}.",)
    tables = default_tables(into, what)
    sys.stdout.write(
        script(
            found.slug,
            Rule.of(found.attribution),
            Inputs(
                engagement_table or tables["engagement"],
                custom_table or tables["custom"],
                checked_columns("engagement", _renamed(engagement_column), what),
                checked_columns("custom", _renamed(custom_column), what),
                event,
                custom_event,
            ),
            into,
            shape,
            Target(
                DropPlace.of(settings.landing, door, found.slug, bucket=bucket),
                role or PLACEHOLDER_ROLE,
                region,
                view,
                view_version,
                share.table.split(".")[0] if share else SHARE,
            ),
            Span(days, last_days),
            is_zoned=zoned,
            content=what,
            remarks=remarks,
        )
    )


def _renamed(items: tuple[str, ...]) -> dict[str, str]:
    from justai_assets.attribution.sql.dialects import SqlError

    renamed = {}
    for item in items:
        ours, equals, theirs = item.partition("=")
        if not equals or not theirs:
            raise SqlError(f"{item!r} is not ours=theirs", mend="for example user_id=profile_id")
        renamed[ours] = theirs
    return renamed
