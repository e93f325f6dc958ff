"""The job: days of one table, computed in Spark, with the counts of each day reported through Dagster Pipes.

`python -m justai_assets.attribution.spark.job` beside the asset, `justai-spark-job` as the wheel's entry point on
Databricks. What is to be done comes in the session's extras (`task.Task`); one message a day goes back:
`{"day": "2026-01-05", "rows": 10, "attributed": 7, "reasons": {"no_send": 3}}`.
A day on which an id is shared by too many has `"shared": {"user id": [events that carry it, people who share it]}` too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from justai_assets.attribution.spark.job_tables import DataFrame, Scratch, Tables, tables_of
from justai_assets.attribution.spark.spark_attribution import Notes, attributed
from justai_assets.attribution.spark.task import ATTRIBUTED, UNIFIED, Task, TaskError

THROUGH: Final = ("files", "dbfs", "volumes")
"""How context and messages travel: local files, the DBFS, or Unity Catalog volumes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run inside a Pipes session; fails when it was not started by one."""
    import dagster_pipes as pipes

    words = list(sys.argv[1:] if arguments is None else arguments)
    through = words[words.index("--through") + 1] if "--through" in words[:-1] else "files"
    if through not in THROUGH:
        raise TaskError(f"--through {through} is none of {', '.join(THROUGH)}")
    in_arguments = pipes.DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT in words
    loader: Any = pipes.PipesCliArgsParamsLoader if in_arguments else pipes.PipesEnvVarParamsLoader
    params = loader()
    if not params.is_dagster_pipes_process():
        raise TaskError("the job is started by an asset of an org with `engine: databricks`, not by hand")
    how: dict[str, Any] = {}
    if through == "dbfs":
        session()  # its message writer asks the running session where the cluster's logs go
        how = {"context_loader": pipes.PipesDbfsContextLoader(), "message_writer": pipes.PipesDbfsMessageWriter()}
    elif through == "volumes":
        how = {
            "context_loader": pipes.PipesUnityCatalogVolumesContextLoader(),
            "message_writer": pipes.PipesUnityCatalogVolumesMessageWriter(),
        }
    with pipes.open_dagster_pipes(params_loader=params, **how) as opened:
        task = Task.of(opened.extras)
        run(session(task), task, opened.report_custom_message)


def session(task: Task | None = None) -> Any:
    """The Spark session: the cluster's own, or one on this machine when the task brings settings."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in (task.settings if task else {}).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def run(spark: Any, task: Task, report: Callable[[dict[str, Any]], None]) -> None:
    """Replace the task's days and report each, those without rows included.

    Raises:
        TaskError: a table that this code does not make.
    """
    tables = tables_of(spark, task)
    notes: Notes = {}
    if task.table == ATTRIBUTED:
        rows_of_days, notes = attributed(tables, task, Scratch(spark, task.scratch))
        counts = _counts(tables.replace(rows_of_days), "reason")
    elif task.table == UNIFIED:
        counts = _counts(tables.replace(unified(tables, task)))
    else:
        raise TaskError(f"there is no way to make {task.table} here")
    day = task.lo
    while day <= task.hi:
        reasons = counts.get(day, {})
        rows = sum(reasons.values())
        attributions = reasons.pop(None, 0)  # without a reason; of the unified stream, every row
        said = {"day": day.isoformat(), "rows": rows, "attributed": attributions, "reasons": reasons}
        report(said | ({"shared": notes[day]} if day in notes else {}))
        day += timedelta(days=1)


def unified(tables: Tables, task: Task) -> DataFrame:
    """Engagement passed through, and the custom events that a message caused; the six columns and no other."""
    columns = list(task.target.columns)
    rows = tables.read("esp_events", task.lo, task.hi).select(columns)
    if ATTRIBUTED in task.sources:
        caused = tables.read(ATTRIBUTED, task.lo, task.hi).where("is_attributed")
        rows = rows.unionByName(caused.select(columns))
    return rows


def _counts(written: DataFrame, *more: str) -> dict[date, dict[str | None, int]]:
    """Rows by day, and by one more column: of what was written, not of what was meant to be."""
    counts: dict[date, dict[str | None, int]] = {}
    for row in written.groupBy("event_date", *more).count().collect():
        counts.setdefault(row["event_date"], {})[row[more[0]] if more else None] = row["count"]
    return counts


if __name__ == "__main__":
    main()
