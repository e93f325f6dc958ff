"""What must be known of a script, written above it: what it needs, where it runs, what it leaves behind."""

from __future__ import annotations

from typing import Final

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql.customer_tables import Content
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect

_DAY_BY_DAY: Final = "Each day is replaced by itself, also one that has no row any more."
_FOUND_DAYS: Final = (
    "A day that became empty keeps its old files: for days from which rows were removed, run it with --from and --to."
)
_SAID: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("redshift", "export"): (
        "CLEANPATH needs s3:DeleteObject on the prefix; it empties what it writes to, so that no part of an earlier",
        "run is left to count twice.",
    ),
    ("redshift", "manifest"): (
        "For a role without s3:DeleteObject. The manifest names the files of this run, and only those are read.",
    ),
    ("databricks", "export"): (
        "The user needs the grants of `justai connect databricks`. The table is external, plain Parquet.",
    ),
    ("databricks", "pyspark"): (
        "A notebook or a job in Python, on classic or serverless compute. The user needs the grants of",
        "`justai connect databricks`. The table is external, plain Parquet.",
    ),
    ("databricks", "share"): ("The view is shared with ADD VIEW. Send the activation link of the last statement.",),
}
_BY_DAY: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("redshift", "export"): (_DAY_BY_DAY,),
    ("databricks", "export"): (
        _DAY_BY_DAY,
        "It runs on classic compute, serverless and SQL warehouses. On classic compute, run before it:",
        "SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS (elsewhere the setting is not there).",
    ),
    ("databricks", "pyspark"): (_DAY_BY_DAY,),
}
_ALL_AT_ONCE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("redshift", "export"): ("Run daily.", _FOUND_DAYS),
    ("redshift", "manifest"): (
        "It says nothing of older days: once a later run has replaced it, a stale part there counts again.",
        "Prefer the form with CLEANPATH; before changing to it, the manifest at the prefix must be deleted.",
    ),
    ("databricks", "export"): (
        "Run daily, on classic compute: serverless and SQL warehouses do not have the setting partitionOverwriteMode,",
        "without which INSERT OVERWRITE removes every other day. There, take --form pyspark, or --from and --to.",
        _FOUND_DAYS,
    ),
}


def heading(
    slug: str, rule: Rule, dialect: Dialect, form: str, content: Content, span: Span, *, is_by_day: bool
) -> list[str]:
    """The lines above a script, without comment signs."""
    named = "unified stream" if content == "unified_events" else "custom events"
    lines = [f"{slug}: {named} for JustAI ({dialect}, {form}), {span}."]
    if content == "unified_events":
        windows = ", ".join(f"{name} {hours} h" for name, hours in sorted(rule.windows.items()))
        lines += [
            f"Sends: {', '.join(rule.send_events)}. A custom event goes to the latest send less than"
            f" {rule.window_hours} h before it{f' ({windows})' if windows else ''}.",
            "Output: event_name, event_timestamp (UTC), event_date, message_id, template_id, campaign_id. No user"
            " leaves.",
            "User ids are compared without spaces around them and with their case: addresses need one spelling, for"
            " example by a view with LOWER. Blank ids and placeholders (null, undefined, 0, n/a) match nobody.",
        ]
    else:
        lines += [
            "Output: event_timestamp (UTC), event_date, event_name, user_id_or_email. JustAI joins it with its sends,",
            "by an email or user id named as the sends name it, and keeps a keyed pseudonym.",
        ]
    key = (dialect, form)
    return [*lines, *_SAID.get(key, ()), *(_BY_DAY if is_by_day else _ALL_AT_ONCE).get(key, ())]
