"""What keeps the mirrors of shares up to date: one job for all orgs, the sensor that starts it, a daily recheck."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.dag.delta_share import note_of, profile_of, run_mirror, source_of
from justai_assets.dag.metadata import day_metadata
from justai_assets.dag.org_assets import table_key
from justai_assets.dag.partitions import daily
from justai_assets.dag.resources import Platform
from justai_assets.dag.retries import verdicts
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import Org
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.days import day_text
from justai_assets.sources.delta_share.keep import kept_state
from justai_assets.sources.delta_share.patience import Patience

JOB = "mirror_share"
OP = "mirror_days"
"""Not the job's own name: Dagster then refuses to load the location."""

BUDGET_SECONDS = 40.0
"""Of a sensor tick, whose limit is 60."""
FIRST_BACKOFF_SECONDS = 60
LONGEST_BACKOFF_SECONDS = 3600
GLANCE = Patience(attempts=1, connect_seconds=5, read_seconds=10, request_seconds=20)
"""A sensor asks once; the next tick is its retry."""


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
        org = by_slug[how["org"]]
        known = daily(org.start_date)
        with verdicts(context.retry_number):
            note = note_of(context.run_id, org)
            for step in run_mirror(
                org, platform.lake(), note, recheck=how["recheck"], accept_empty=how["accept_empty"]
            ):
                for remark in step.remarks:
                    context.log.warning(remark)
                for one in step.reports:
                    day = day_text(one.day)
                    if one.day is None or not known.has_partition_key(day):
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

    @dg.job(name=JOB, executor_def=dg.in_process_executor, description="Mirrors one org's share.")
    def job() -> None:
        mirror_share()

    return job


def share_request(org: Org, run_key: str, *, recheck: bool = False) -> dg.RunRequest:
    """A run of the job for one org."""
    config = {"ops": {OP: {"config": {"org": org.slug, "recheck": recheck}}}}
    return dg.RunRequest(
        run_key=run_key, job_name=JOB, run_config=config, tags={"org": org.slug, "door": "delta_share"}
    )


def versions_sensor(orgs: Sequence[Org], job: dg.JobDefinition) -> dg.SensorDefinition:
    """`delta_share_versions`: one request per share; a version that moved starts the job for that org.

    Shares are asked in the order in which they were asked last, as long as the tick's time lasts; one that fails is
    left alone for a minute, then two, … an hour.
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
        seen = {slug: polled for slug, polled in json.loads(context.cursor or "{}").items() if slug in by_slug}
        start = time.time()
        requests = []
        for slug in due(seen, list(by_slug), start):
            if time.time() - start > BUDGET_SECONDS:
                break
            failures = seen.get(slug, {}).get("failures", 0)
            try:
                moved = _moved(by_slug[slug], platform.lake())
            except JustAIError as error:
                context.log.warning(f"{slug}: {error.code}: {error}")
                seen[slug] = {"polled": time.time(), "failures": failures + 1}
                continue
            seen[slug] = {"polled": time.time(), "failures": 0}
            if moved:
                requests.append(share_request(by_slug[slug], f"{slug}:{moved}"))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(seen))

    return delta_share_versions


def due(seen: Mapping[str, Mapping[str, Any]], slugs: Sequence[str], now: float) -> list[str]:
    """The shares to ask, longest unasked first, without those whose last failure is too fresh."""

    def waits_until(slug: str) -> float:
        polled = seen.get(slug, {})
        failures = polled.get("failures", 0)
        backoff = min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS) if failures else 0
        return float(polled.get("polled", 0)) + backoff

    return sorted((slug for slug in slugs if waits_until(slug) <= now), key=waits_until)


def _moved(org: Org, lake: Lake) -> str:
    """What identifies the work to do: both versions and the table; "" when the mirror is up to date."""
    state = kept_state(lake, org.slug)
    table = source_of(org).table
    with ShareClient(profile_of(org), patience=GLANCE) as client:
        version = client.version(TableName.parse(table))
    if state is not None and state.table == table and state.version == version:
        return ""
    # The state's own version is part of it: after a run that stopped half-way the same version is asked for again.
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
