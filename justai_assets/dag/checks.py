"""Asset checks of an org's tables, day by day: one step a table, whatever the number of checks."""

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.storage.tags import PARTITION_NAME_TAG

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.dag.day_checks import CHECKED, DAY_CHECKS, DayCheck, Subject
from justai_assets.dag.org_assets import table_key, table_keys
from justai_assets.dag.partitions import daily, days_of
from justai_assets.dag.resources import Platform
from justai_assets.dag.retries import verdicts as retried
from justai_assets.orgs.model import Org
from justai_assets.quality.verdict import Verdict, totals

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
        written = latest_writes(context.op_execution_context.instance, key, days) if is_range else {}
        for name, check in checks.items():
            if name in asked:
                # An outage leaves the days unjudged, and what is below waits for them.
                with retried(context.op_execution_context.retry_number):
                    verdicts = check.judge(subject)
                if is_range:
                    _log_days(context, key, check, verdicts, written)
                yield _summary(key, check, verdicts)

    return run_checks


def latest_writes(
    instance: dg.DagsterInstance, key: dg.AssetKey, days: Days
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """The newest materialization of each day, as Dagster wants to be told what a check has judged.

    Without it Dagster takes every evaluation of a day for one of an older content, and the day for not judged.
    """
    names = {day.isoformat() for day in days}
    ids = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, names
    )
    if not ids:
        return {}
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=list(ids.values())), limit=len(ids)
    )
    return {
        str(record.partition_key): AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in found.records
    }


def _log_days(
    context: dg.AssetCheckExecutionContext,
    key: dg.AssetKey,
    check: DayCheck,
    verdicts: list[Verdict],
    written: Mapping[str, AssetCheckEvaluationTargetMaterializationData],
) -> None:
    """One evaluation a day of a ranged run.

    Sound days too, though an event costs some 10 ms: a planned check of a day without one reads as skipped in the UI.
    """
    for verdict in verdicts:
        context.op_execution_context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # taken, stored and shown; only the annotation lags
                asset_key=key,
                check_name=check.name,
                passed=_has_passed(check, [verdict]),
                partition=verdict.day.isoformat(),
                target_materialization_data=written.get(verdict.day.isoformat()),
                severity=_severity([verdict]),
                description=_said(verdict) or None,
                metadata=verdict.numbers,
                blocking=check.is_blocking,
            )
        )


def _summary(key: dg.AssetKey, check: DayCheck, verdicts: list[Verdict]) -> dg.AssetCheckResult:
    bad = [verdict for verdict in verdicts if not verdict.is_sound]
    metadata: dict[str, dg.MetadataValue | int | float] = {**verdicts[0].numbers}
    if len(verdicts) > 1:
        metadata = {**totals(verdicts), "days": len(verdicts), "by day": _by_day(verdicts)}
    description = None
    if bad:
        lines = [f"- {verdict.day}: {_said(verdict)}" for verdict in bad[:_DAYS_IN_SUMMARY]]
        if len(bad) > _DAYS_IN_SUMMARY:
            lines.append(f"- and {len(bad) - _DAYS_IN_SUMMARY} more days")
        metadata["problems"] = dg.MetadataValue.md("\n".join(lines))
        description = _said(bad[0]) if len(verdicts) == 1 else f"{len(bad)} of {len(verdicts)} days: {_said(bad[0])}"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=_has_passed(check, verdicts),
        severity=_severity(verdicts),
        description=description,
        metadata=metadata,
    )


def _has_passed(check: DayCheck, verdicts: list[Verdict]) -> bool:
    """Whether nothing is wrong. Of a blocking check a warning passes, in words: automation knows no severity."""
    return not any(one.problems if check.is_blocking else not one.is_sound for one in verdicts)


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


def _severity(verdicts: list[Verdict]) -> dg.AssetCheckSeverity:
    is_error = any(verdict.problems for verdict in verdicts) or all(verdict.is_sound for verdict in verdicts)
    return dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN


def _said(verdict: Verdict) -> str:
    return "; ".join((*verdict.problems, *verdict.warnings))
