"""Evaluations of checks, logged in one way by every step: with the materialization that they have judged."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from justai_assets.dag.day_checks import DayCheck
from justai_assets.quality.day_result import Verdict

Writes = Mapping[str, AssetCheckEvaluationTargetMaterializationData]
"""Partition → its newest materialization."""


def latest_writes(instance: dg.DagsterInstance, key: dg.AssetKey, days: Sequence[date]) -> Writes:
    """The newest materialization of each day, as Dagster wants to be told what a check has judged.

    Without it Dagster takes every evaluation of a day for one of an older content, and the day for not judged: a check
    that fails then holds nothing back.
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


def log_days(
    context: dg.OpExecutionContext,
    key: dg.AssetKey,
    check: DayCheck,
    verdicts: Sequence[Verdict],
    written: Writes,
) -> None:
    """Log one evaluation a day, from the check's own step or another.

    Sound days too, though an event costs some 10 ms: a planned check of a day without one reads as skipped in the UI.

    Args:
        context: of the step.
        key: the table.
        check: the check.
        verdicts: one a day.
        written: `latest_writes` of the days, looked up before anything was read.
    """
    for verdict in verdicts:
        log_evaluation(
            context,
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=check.name,
                passed=has_passed(check, [verdict]),
                partition=verdict.day.isoformat(),
                target_materialization_data=written.get(verdict.day.isoformat()),
                severity=severity([verdict]),
                description=said(verdict) or None,
                metadata=verdict.numbers,
                blocking=check.is_blocking,
            ),
        )


def log_evaluation(context: dg.OpExecutionContext, evaluation: dg.AssetCheckEvaluation) -> None:
    """Log an evaluation of a check from a step, the check's own or another."""
    context.log_event(evaluation)  # type: ignore[arg-type]  # taken, stored and shown; only the annotation lags


def has_passed(check: DayCheck, verdicts: Sequence[Verdict]) -> bool:
    """Whether nothing is wrong. Of a blocking check a warning passes, in words: automation knows no severity."""
    return not any(one.problems if check.is_blocking else not one.is_sound for one in verdicts)


def severity(verdicts: Sequence[Verdict]) -> dg.AssetCheckSeverity:
    """ERROR unless there are warnings and nothing else."""
    is_error = any(verdict.problems for verdict in verdicts) or all(verdict.is_sound for verdict in verdicts)
    return dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN


def said(verdict: Verdict) -> str:
    """What is wrong, and what to look at."""
    return "; ".join((*verdict.problems, *verdict.warnings))
