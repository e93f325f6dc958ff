"""The job on Databricks: submitted with the wheel, watched, cancelled when the asset is, and its failure explained."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from justai_assets.attribution.spark.task import Task
from justai_assets.contract.days import Days
from justai_assets.dag.databricks.job_errors import SparkJobError
from justai_assets.dag.databricks.pipes_messages import Count, counts_of
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.workspace_settings import Databricks

POLL_SECONDS = 5.0
READ_SECONDS = 5.0
CANCEL_PATIENCE = timedelta(minutes=5)
PACKAGE = "justai_assets"
ENTRY_POINT = "justai-spark-job"
ENVIRONMENT = "justai"

_TRANSIENT_TYPES = {"CLOUD_FAILURE", "INTERNAL_ERROR"}


def run_on_databricks(context: dg.AssetExecutionContext, org: Org, task: Task) -> dict[date, Count]:
    """Submit the job as a one-time run and wait for its end; what it reports.

    An interrupted asset cancels its run, and so does one that can no longer reach the workspace. A second attempt is a
    second run over the same days, which replaces them; it is not made while the first may still be writing.

    Raises:
        SparkJobError: the workspace cannot be reached or refuses, or the run failed or was cancelled; with its page.
    """
    try:
        from databricks.sdk.errors.base import DatabricksError
    except ImportError as error:
        raise SparkJobError(
            "dagster-databricks is not installed", mend="install the extra: pip install 'justai_assets[databricks]'"
        ) from error
    settings = org.databricks
    assert settings is not None  # the org model says so
    workspace = workspace_of(org)
    client = _client(workspace, settings)
    try:
        invocation = client.run(
            context=context.op_execution_context,
            extras=task.extras(),
            task=submit_task(settings, task),
            submit_args=submit_args(context, org, settings, task),
        )
    except DagsterPipesExecutionError as error:
        raise _ended_badly(workspace, client.run_id, task) from error
    except (DatabricksError, TimeoutError) as error:
        # The SDK raises TimeoutError when its own retries have run out.
        has_ended = _cancel(context, workspace, client.run_id)
        raise _refused(error, None if has_ended else client.run_id) from error
    if client.interruption is not None:
        # Dagster's client cancels the run and then goes on as if it had succeeded.
        raise client.interruption
    link = str(workspace.jobs.get_run(client.run_id).run_page_url or "")
    if link:
        context.add_asset_metadata({"databricks run": dg.MetadataValue.url(link)})
    return counts_of(invocation.get_custom_messages(), Days(task.lo, task.hi), link=link)


def workspace_of(org: Org) -> Any:
    """A client of the org's workspace; what the org file does not name comes from the SDK's variables and profile.

    Raises:
        SparkJobError: there is no usable credential.
        SecretError: a reference cannot be resolved.
    """
    from databricks.sdk import WorkspaceClient

    settings = org.databricks
    assert settings is not None
    given: dict[str, Any] = {
        name: org.secret(reference).get_secret_value()
        for name in ("host", "client_id", "client_secret", "token")
        if (reference := getattr(settings, name)) is not None
    }
    try:
        return WorkspaceClient(**given)
    except ValueError as error:
        # Its text lists the configuration it tried.
        raise SparkJobError(
            f"{org.slug}: no usable Databricks address and credential",
            mend="set databricks.host and token, or client_id and client_secret, or the variables DATABRICKS_HOST, …",
        ) from error


def submit_task(settings: Databricks, task: Task) -> Any:
    """The task as the Jobs API takes it, before Pipes adds where its context and messages are.

    Raises:
        SparkJobError: a key of `cluster` that the Jobs API does not have.
    """
    from databricks.sdk.service import compute, jobs

    through = "dbfs" if settings.volume is None else "volumes"
    wheel = jobs.PythonWheelTask(package_name=PACKAGE, entry_point=ENTRY_POINT, parameters=["--through", through])
    if settings.is_serverless:
        return jobs.SubmitTask(task_key=task.table, python_wheel_task=wheel, environment_key=ENVIRONMENT)
    libraries = [compute.Library(whl=settings.wheel)]
    if settings.cluster is None:
        return jobs.SubmitTask(
            task_key=task.table,
            python_wheel_task=wheel,
            libraries=libraries,
            existing_cluster_id=settings.existing_cluster_id,
        )
    spec = compute.ClusterSpec.from_dict(settings.cluster)
    unknown = sorted(settings.cluster.keys() - spec.as_dict().keys())
    if unknown:
        raise SparkJobError(
            f"databricks.cluster: {', '.join(unknown)} is not understood",
            mend="write new_cluster as the Jobs API takes it",
        )
    return jobs.SubmitTask(task_key=task.table, python_wheel_task=wheel, libraries=libraries, new_cluster=spec)


def submit_args(context: dg.AssetExecutionContext, org: Org, settings: Databricks, task: Task) -> dict[str, Any]:
    """What goes with the run: its name, its time limit, and a token that keeps a repeated request from a second run."""
    from databricks.sdk.service import compute, jobs

    args: dict[str, Any] = {
        "run_name": f"justai {org.slug} {task.table} {Days(task.lo, task.hi)}",
        "timeout_seconds": 60 * settings.timeout_minutes,
        "idempotency_token": f"{context.run.run_id}-{task.table}-{context.retry_number}"[:64],
    }
    if settings.is_serverless:
        needs = compute.Environment(environment_version=settings.environment_version, dependencies=[settings.wheel])
        args["environments"] = [jobs.JobEnvironment(environment_key=ENVIRONMENT, spec=needs)]
    return args


class _Watched:
    """Keeps the run's id, which Dagster's clients do not give away when a run fails, and an interruption."""

    client: Any
    run_id: int | None = None
    interruption: BaseException | None = None

    def _poll_til_success(self, context: Any, run_id: int) -> None:
        self.run_id = run_id
        context.log.info(f"Databricks run {run_id}: {self.client.jobs.get_run(run_id).run_page_url}")
        try:
            super()._poll_til_success(context, run_id)  # type: ignore[misc]  # the base class is untyped
        except dg.DagsterExecutionInterruptedError as error:
            self.interruption = error
            raise


def _client(workspace: Any, settings: Databricks) -> Any:
    import dagster_databricks as found
    from dagster_databricks import pipes

    how: dict[str, Any] = {"client": workspace, "poll_interval_seconds": POLL_SECONDS}
    if settings.volume is None:
        how["message_reader"] = pipes.PipesDbfsMessageReader(client=workspace, interval=READ_SECONDS)
    else:
        where = {"client": workspace, "volume_path": settings.volume}
        how["context_injector"] = pipes.PipesUnityCatalogVolumesContextInjector(**where)
        how["message_reader"] = pipes.PipesUnityCatalogVolumesMessageReader(**where, interval=READ_SECONDS)
    if settings.is_serverless:
        kind = type("ServerlessClient", (_Watched, pipes.PipesDatabricksServerlessClient), {})
        return kind(volume_path=settings.volume, **how)
    return type("ClusterClient", (_Watched, found.PipesDatabricksClient), {})(**how)


def _ended_badly(workspace: Any, run_id: int | None, task: Task) -> SparkJobError:
    """What became of the run, in its own codes: its message may quote data."""
    run = workspace.jobs.get_run(run_id)
    state, details = run.state, run.status.termination_details if run.status else None
    result = (state.result_state or state.life_cycle_state).value if state else "unknown"
    code = details.code.value if details and details.code else ""
    kind = details.type.value if details and details.type else ""
    is_transient = kind in _TRANSIENT_TYPES or (not kind and result == "INTERNAL_ERROR")
    is_transient = is_transient and result not in {"CANCELED", "TIMEDOUT"}
    if result == "CANCELED":
        mend = "somebody or something cancelled it; materialize the days again"
    elif result == "TIMEDOUT":
        mend = "raise databricks.timeout_minutes, or give it a larger cluster"
    else:
        mend = "its page has the error and the log"
    said = f" ({code})" if code and code != result else ""
    return SparkJobError(
        f"Databricks run {run_id} for {task.table} ended as {result}{said}: {run.run_page_url}",
        mend=mend,
        transient=is_transient,
        link=run.run_page_url,
    )


def _refused(error: Exception, left: int | None) -> SparkJobError:
    """The API's refusal or silence; `left` is a run that may still be going, beside which no second one may start."""
    from databricks.sdk.errors import platform

    if left is not None:
        return SparkJobError(
            f"the Databricks API answered {type(error).__name__}, and run {left} could not be cancelled",
            mend=f"cancel run {left} in the workspace, then materialize the days again",
        )
    lasting = (platform.BadRequest, platform.Unauthenticated, platform.PermissionDenied, platform.NotFound)
    return SparkJobError(
        f"the Databricks API answered {type(error).__name__}: {str(error)[:300]}",
        mend="see the permissions and settings in docs/databricks.md",
        transient=not isinstance(error, lasting),
    )


def _cancel(context: dg.AssetExecutionContext, workspace: Any, run_id: int | None) -> bool:
    """Cancel a run that can no longer be watched; whether it is known to have ended."""
    from databricks.sdk.errors import OperationFailed

    if run_id is None:
        return True
    try:
        # It is cancelled in its own time, and may commit until then.
        workspace.jobs.cancel_run(run_id).result(timeout=CANCEL_PATIENCE)
    except OperationFailed:
        return True  # ended by an internal error before it could be cancelled
    except OSError as error:  # what else the SDK raises derives from it
        context.log.warning(f"Databricks run {run_id} could not be cancelled: {type(error).__name__}")
        return False
    return True
