"""What keeps the mirrors of shares up to date: one job for all orgs, the sensor that starts it, a daily recheck."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date
from functools import partial

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, JustAIError
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.dag.day_checks import DAY_CHECKS, Subject
from justai_assets.dag.evaluations import latest_writes, log_days, log_evaluation
from justai_assets.dag.metadata import day_metadata
from justai_assets.dag.org_keys import pool_of, table_key
from justai_assets.dag.partitions import daily
from justai_assets.dag.pools import slot
from justai_assets.dag.resources import Platform
from justai_assets.dag.run_retries import verdicts
from justai_assets.dag.share_assets import (
    contract_evaluation,
    note_of,
    profile_of,
    run_mirror,
    source_of,
)
from justai_assets.dag.share_turns import LOUD_AFTER_FAILURES, Turn, due, read_turns, write_turns
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.file_days import day_text
from justai_assets.sources.delta_share.mirror_state import Step, load_state
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.share_errors import BusyShareError
from justai_assets.sources.delta_share.spec import SHARE
from justai_assets.sources.delta_share.transport import RequestPolicy

JOB = "mirror_share"
OP = "mirror_days"
"""Not the job's own name: Dagster then refuses to load the location."""

BUDGET_SECONDS = 40.0
"""Of a sensor tick, whose limit is 60."""
GLANCE = RequestPolicy(attempts=1, connect_seconds=5, read_seconds=10, request_seconds=15)
"""A sensor asks once; the next tick is its retry."""
POOL_WAIT_SECONDS = 300.0
"""For maintenance and for a run of the asset; after that the sensor asks again."""


def mirror_job(orgs: Sequence[Org]) -> dg.JobDefinition:
    """One job for every org: mirror what changed, and report each touched day as a materialization of its asset."""
    by_slug = {org.slug: org for org in orgs}

    @dg.op(
        name=OP,
        config_schema={
            "org": str,
            "recheck": dg.Field(bool, default_value=False),
            "accept_empty": dg.Field(bool, default_value=False),
        },
        out=dg.Out(dg.Nothing),
        description="Brings the mirror of an org's share up to date, whatever days changed.",
    )
    def mirror_share(context: dg.OpExecutionContext, platform: Platform) -> None:
        how = context.op_config
        org, lake = by_slug[how["org"]], platform.lake()
        pool = pool_of(org.slug, DELTA_SHARE)
        with slot(context.instance, context.run, pool, wait_seconds=POOL_WAIT_SECONDS) as is_held:
            if not is_held:
                context.log.warning("the mirror is being written by another run; the sensor asks again")
                return
            with verdicts(context.retry_number):
                note = note_of(context.run_id, org)
                steps = run_mirror(org, lake, note, recheck=how["recheck"], accept_empty=how["accept_empty"])
                try:
                    for step in steps:
                        _report(context, org, step)
                        _check(context, org, platform, step)
                except BusyShareError as error:
                    context.log.warning(f"{error}; the sensor asks again")
                    return
                except ContractError:
                    # Of no run: what a step that fails has logged is lost with it.
                    context.instance.report_runless_asset_event(contract_evaluation(org, lake))
                    raise
            log_evaluation(context, contract_evaluation(org, lake))

    @dg.job(name=JOB, executor_def=dg.in_process_executor, description="Mirrors one org's share.")
    def job() -> None:
        mirror_share()

    return job


def _report(context: dg.OpExecutionContext, org: Org, step: Step) -> None:
    """The days of a step as materializations, its notes as warnings."""
    for remark in step.notes:
        context.log.warning(remark)
    partitions = _partition_days(org, step)
    for one in step.reports:
        day = day_text(one.day)
        if one.day not in partitions:
            # Undated rows and days before the org's start or after today belong to no partition.
            context.log.warning(f"{day}: {one.rows:,} rows, outside the org's partitions")
            continue
        context.log_event(
            dg.AssetMaterialization(
                table_key(org.slug, DELTA_SHARE),
                partition=day,
                metadata={**day_metadata(one), "emptied": one.day in step.vanished},
                tags={"dagster/data_version": step.state.days.get(one.day) or "empty"},
            )
        )


def _check(context: dg.OpExecutionContext, org: Org, platform: Platform, step: Step) -> None:
    """The checks of the mirror's table on the days of a step: this job is not the asset, which brings its own."""
    days = _partition_days(org, step)
    if not days:
        return
    key = table_key(org.slug, DELTA_SHARE)
    # Of this step's own materializations: `_report` has just stored them.
    written = latest_writes(context.instance, key, sorted(days))
    subject = Subject(org, DELTA_SHARE, Days(min(days), max(days)), platform.landing(), platform.lake())
    for check in (check for check in DAY_CHECKS if check.applies(org, DELTA_SHARE)):
        log_days(context, key, check, [verdict for verdict in check.judge(subject) if verdict.day in days], written)


def _partition_days(org: Org, step: Step) -> set[date]:
    known = daily(org.start_date)
    return {one.day for one in step.reports if one.day is not None and known.has_partition_key(day_text(one.day))}


def share_request(org: Org, run_key: str, *, recheck: bool = False) -> dg.RunRequest:
    """A run of the job for one org."""
    config = {"ops": {OP: {"config": {"org": org.slug, "recheck": recheck}}}}
    return dg.RunRequest(run_key=run_key, job_name=JOB, run_config=config, tags={"org": org.slug, "door": SHARE.name})


def versions_sensor(orgs: Sequence[Org], job: dg.JobDefinition) -> dg.SensorDefinition:
    """`delta_share_versions`: one request per share; a version that moved starts the job for that org.

    Shares are asked in the order in which they were asked last, as long as the tick's time lasts; one that fails is
    left alone for a minute, then two, … an hour. So is one whose run has failed: the same version is asked for again,
    with a run key of its own, because Dagster starts a run key once, whatever became of it. A share that cannot even
    be asked for its version gets one run too, which fails and is alerted on.
    """
    by_slug = {org.slug: org for org in orgs}

    @dg.sensor(
        name="delta_share_versions",
        job=job,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks each share for its version and mirrors those that moved.",
    )
    def delta_share_versions(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        turns = read_turns(context.cursor, list(by_slug))
        start = time.time()
        busy = _busy(context.instance)
        requests = []
        for slug in due(turns, [slug for slug in by_slug if slug not in busy], start):
            if time.time() - start > BUDGET_SECONDS:
                break
            turn, work = _ask(context, by_slug[slug], platform, turns.get(slug, Turn()))
            started = turn.starts(work, time.time()) if work else None
            if started is not None:
                requests.append(share_request(by_slug[slug], f"{slug}:{work}:{int(started.requested)}"))
            turns[slug] = started or turn
        return dg.SensorResult(run_requests=requests, cursor=write_turns(turns))

    return delta_share_versions


def _busy(instance: dg.DagsterInstance) -> set[str]:
    """The orgs whose share a run is mirroring, or waits to mirror."""
    filters = dg.RunsFilter(job_name=JOB, statuses=NOT_FINISHED_STATUSES)
    return {record.tags.get("org", "") for record in instance.get_runs(filters=filters)}


def _ask(context: dg.SensorEvaluationContext, org: Org, platform: Platform, turn: Turn) -> tuple[Turn, str]:
    """One share, asked: its turn, and the work to do or ""."""
    try:
        work = _moved(org, platform.lake())
    except Exception as error:
        # Whatever is wrong with one org's share, profile or state must not keep the others waiting.
        is_ours = isinstance(error, JustAIError)
        code = error.code if isinstance(error, JustAIError) else type(error).__name__
        say = context.log.warning if is_ours else partial(context.log.exception)
        say(f"{org.slug}: {code}: {error if is_ours else 'asking the share for its version failed'}")
        turn = turn.failed(time.time())
        is_lasting = not (isinstance(error, JustAIError) and error.transient)
        is_loud = is_lasting or turn.failures >= LOUD_AFTER_FAILURES
        # Once for each kind of failure; while it lasts, the daily recheck goes on failing.
        return turn, f"broken:{code}" if is_loud and turn.work != f"broken:{code}" else ""
    if not work:
        return turn.up_to_date(time.time()), ""
    return turn.answered(time.time()), work


def _moved(org: Org, lake: Lake) -> str:
    """What identifies the work to do: both versions and the table; "" when the mirror is up to date."""
    state = load_state(lake, org.slug)
    table = source_of(org).table
    with ShareClient(profile_of(org), policy=GLANCE) as client:
        version = client.version(TableName.parse(table))
    if state is not None and state.table == table and state.version == version:
        return ""
    # The state's own version is part of it: a run that stopped half-way left less to do.
    return f"{table}:{state.version if state else None}:{len(state.days) if state else 0}:{version}"


def recheck_schedule(orgs: Sequence[Org], job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """The safety net: once a day every share's files are listed, whatever its version says."""

    @dg.schedule(
        name="recheck_shares",
        cron_schedule="30 4 * * *",
        execution_timezone="UTC",
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Lists the files of every share once a day and mirrors what differs.",
    )
    def recheck_shares(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        for org in orgs:
            yield share_request(org, f"{org.slug}:recheck:{today}", recheck=True)

    return recheck_shares
