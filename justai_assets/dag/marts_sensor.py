"""What refreshes the marts: one sensor over all orgs, hourly, and no condition that evaluates every table of each.

A condition on the marts made of an idle tick ten seconds of CPU and of its cursor 15 MB at 100 orgs; this is one query.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import select

from justai_assets.contract.days import Days, neighbours
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
)
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.org_model import Org

NAME = "refresh_marts"
INTERVAL_SECONDS = 300
LEAST_SECONDS = 3600.0
"""Between two refreshes: every batch of today's events would otherwise read a week again."""

TAG = {"marts": "refresh"}

READ = {table.name for table in (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, ATTRIBUTION_METRICS, MESSAGE_OUTCOMES)}
"""The lake tables that the marts read, each day of a mart the same day of the table."""


def marts_sensor(
    orgs: Sequence[Org],
    keys: Sequence[dg.AssetKey],
    days_a_run: int,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dg.SensorDefinition:
    """Request the days that changed since the last refresh, weeks at a time, once no refresh is under way.

    Args:
        orgs: the orgs that the marts are made of.
        keys: the marts, and what is built with them.
        days_a_run: the most days of one run.
        now: the current time in UTC.
    """
    first = min(org.start_date for org in orgs)
    slugs = {org.slug for org in orgs}

    @dg.sensor(
        name=NAME,
        job_name="__ASSET_JOB",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Refreshes the days of the marts whose tables changed, hourly at most.",
    )
    def refresh_marts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        place, pending, asked = _decode(context.cursor)
        moment = now()
        newest, changed = changed_days(context.instance, slugs, place)
        # One more day than today would be a partition that does not exist.
        pending |= {day for day in changed if first <= day <= moment.date()}
        filters = dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags=TAG)
        is_early = moment.timestamp() - asked < LEAST_SECONDS
        if not pending or is_early or context.instance.get_runs(filters, limit=1):
            said = f"{len(pending)} days wait for the next refresh" if pending else "no table changed"
            return dg.SensorResult(skip_reason=said, cursor=_encode(newest, pending, asked))
        requests = [
            dg.RunRequest(
                run_key=f"{newest}:{days.first}:{days.last}",
                asset_selection=list(keys),
                tags={**TAG, **range_tags(days)},
            )
            for days in weeks(pending, days_a_run)
        ]
        return dg.SensorResult(run_requests=requests, cursor=_encode(newest, set(), moment.timestamp()))

    return refresh_marts


def weeks(days: set[date], most: int) -> list[Days]:
    """Days as ranges of at most so many days, in order."""
    return [
        Days(first, min(one.last, first + timedelta(days=most - 1)))
        for one in neighbours(days)
        for first in list(one)[::most]
    ]


def changed_days(instance: dg.DagsterInstance, slugs: set[str], place: int | None) -> tuple[int, set[date]]:
    """The newest event's id, and the days of the marts that tables written after a place can change: one query.

    Without a place nothing has changed: what was there before is built by `justai marts`.
    """
    storage = instance.event_log_storage
    newest = storage.get_maximum_record_id() or 0
    if place is None or newest <= place:
        return newest, set()
    assert isinstance(storage, SqlEventLogStorage), "every storage of Dagster's is one"
    events = SqlEventLogStorageTable.c
    query = (
        select(events.asset_key, events.partition)
        .distinct()
        .where(
            events.id > place,
            events.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            events.partition.is_not(None),
        )
    )
    with storage.index_connection() as connection:
        rows = [(str(text), str(partition)) for text, partition in connection.execute(query)]
    found: set[date] = set()
    for text, partition in rows:
        key = dg.AssetKey.from_db_string(text)
        if key is not None and key.path[0] in slugs and key.path[-1] in READ:
            found.add(date.fromisoformat(partition))
    return newest, found


def _encode(place: int, pending: set[date], asked: float) -> str:
    ranges = [[str(days.first), str(days.last)] for days in neighbours(pending)]
    return json.dumps({"version": 1, "place": place, "pending": ranges, "asked": asked})


def _decode(text: str | None) -> tuple[int | None, set[date], float]:
    try:
        kept = json.loads(text or "{}")
        if kept.get("version") != 1:
            return None, set(), 0.0
        pending = {day for first, last in kept["pending"] for day in Days.parse(first, last)}
        return int(kept["place"]), pending, float(kept["asked"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, set(), 0.0
