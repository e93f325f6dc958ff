"""Asset checks of an org's tables, day by day: one step a table, whatever the number of checks."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from justai_assets.contract.tables import Table
from justai_assets.dag.day_checks import CHECKED, DAY_CHECKS, DayCheck, Subject
from justai_assets.dag.evaluations import has_passed, latest_writes, log_days, said, severity
from justai_assets.dag.org_keys import table_key, table_keys
from justai_assets.dag.partitions import daily, days_of
from justai_assets.dag.resources import Platform
from justai_assets.dag.run_retries import verdicts as retried
from justai_assets.orgs.org_model import Org
from justai_assets.quality.day_result import Verdict, totals

_DAYS_IN_SUMMARY = 40


def table_checks(org: Org) -> list[dg.AssetChecksDefinition]:
    """The checks of an org's tables, one step a table: a step per check would triple the run and the snapshot."""
    mine = table_keys(org)
    return [_checks_of(org, table) for table in CHECKED if table_key(org.slug, table) in mine]


def _checks_of(org: Org, table: Table) -> dg.AssetChecksDefinition:
    key = table_key(org.slug, table)
    checks = {check.name: check for check in DAY_CHECKS if check.applies(org, table)}

    @dg.multi_asset_check(
        name=f"{key.to_python_identifier()}_checks",
        specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                description=check.description,
                blocking=check.is_blocking,
                partitions_def=daily(org.start_date),
            )
            for check in checks.values()
        ],
        can_subset=True,
    )
    def run_checks(context: dg.AssetCheckExecutionContext, platform: Platform) -> Iterator[dg.AssetCheckResult]:
        days = days_of(context)
        subject = Subject(org, table, days, platform.landing(), platform.lake())
        asked = {check_key.name for check_key in context.selected_asset_check_keys}
        # Also for a range of one day, as backfills launch it: what a ranged run yields belongs to no partition.
        is_range = PARTITION_NAME_TAG not in context.op_execution_context.run.tags
        # Looked up before anything is read: a day that is written meanwhile is then not said to have been judged.
        written = latest_writes(context.op_execution_context.instance, key, list(days)) if is_range else {}
        for name, check in checks.items():
            if name in asked:
                # An outage leaves the days unjudged, and what is below waits for them.
                with retried(context.op_execution_context.retry_number):
                    verdicts = check.judge(subject)
                if is_range:
                    log_days(context.op_execution_context, key, check, verdicts, written)
                yield _summary(key, check, verdicts)

    return run_checks


def _summary(key: dg.AssetKey, check: DayCheck, verdicts: list[Verdict]) -> dg.AssetCheckResult:
    bad = [verdict for verdict in verdicts if not verdict.is_sound]
    metadata: dict[str, dg.MetadataValue | int | float] = {**verdicts[0].numbers}
    if len(verdicts) > 1:
        metadata = {**totals(verdicts), "days": len(verdicts), "by day": _by_day(verdicts)}
    description = None
    if bad:
        lines = [f"- {verdict.day}: {said(verdict)}" for verdict in bad[:_DAYS_IN_SUMMARY]]
        if len(bad) > _DAYS_IN_SUMMARY:
            lines.append(f"- and {len(bad) - _DAYS_IN_SUMMARY} more days")
        metadata["problems"] = dg.MetadataValue.md("\n".join(lines))
        description = said(bad[0]) if len(verdicts) == 1 else f"{len(bad)} of {len(verdicts)} days: {said(bad[0])}"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=has_passed(check, verdicts),
        severity=severity(verdicts),
        description=description,
        metadata=metadata,
    )


def _by_day(verdicts: list[Verdict]) -> dg.MetadataValue:
    names = list(dict.fromkeys(name for verdict in verdicts for name in verdict.numbers))
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "day": verdict.day.isoformat(),
                    "sound": "yes" if verdict.is_sound else "no",
                    **{name: verdict.numbers.get(name, "") for name in names},
                }
            )
            for verdict in verdicts
        ],
        schema=dg.TableSchema([dg.TableColumn(name) for name in ("day", "sound", *names)]),
    )
