"""The job beside the asset: the same script, in a process of its own, with Spark on this machine."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from justai_assets.attribution.spark.task import Task
from justai_assets.contract.days import Days
from justai_assets.dag.databricks.job_errors import SparkJobError
from justai_assets.dag.databricks.pipes_messages import Count, counts_of

JOB = "justai_assets.attribution.spark.job"
MIN_HEAP_MB = 1024


def run_beside(
    context: dg.AssetExecutionContext, task_of: Callable[[Mapping[str, str]], Task], folder: Path
) -> dict[date, Count]:
    """Run the job to its end; what it reports.

    Args:
        context: of the asset.
        task_of: the task, given the settings of the Spark session.
        folder: for what Spark spills.

    Raises:
        SparkJobError: Java or PySpark is missing, or the job ended with an error.
    """
    _check_installed()
    task = task_of(_settings(folder))
    try:
        invocation = dg.PipesSubprocessClient().run(
            context=context.op_execution_context, command=[sys.executable, "-m", JOB], extras=task.extras()
        )
    except DagsterPipesExecutionError as error:
        raise SparkJobError(
            f"the local Spark job for {task.table} ended with an error", mend="its output is in the log of the step"
        ) from error
    return counts_of(invocation.get_custom_messages(), Days(task.lo, task.hi))


def _check_installed() -> None:
    if importlib.util.find_spec("pyspark") is None:
        raise SparkJobError(
            "PySpark is not installed", mend="install the extra: pip install 'justai_assets[databricks]'"
        )
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise SparkJobError("local Spark finds no Java", mend="install a Java runtime, 17 or later, or set JAVA_HOME")


JVM = "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC"
"""A job of a minute spends most of its processor time on compiling itself: without the second compiler 1 M events took
101 s instead of 141 s on two busy cores."""


def _settings(folder: Path) -> dict[str, str]:
    import psutil

    heap = max(MIN_HEAP_MB, psutil.virtual_memory().total // 4 >> 20)
    return {
        "spark.master": "local[*]",
        "spark.driver.memory": f"{heap}m",
        "spark.driver.extraJavaOptions": JVM,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": f"{folder}/spill",
        "spark.log.level": "ERROR",
        # Without sorting the rows by day before they are written.
        "spark.sql.maxConcurrentOutputFileWriters": "64",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.ui.enabled": "false",
    }
