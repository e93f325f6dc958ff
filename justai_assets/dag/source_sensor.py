"""What watches the doors: one sensor per door kind, over all orgs, that reports landed days as they change."""

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from justai_assets.contract.errors import TransientStorageError
from justai_assets.dag.org_keys import landing_key
from justai_assets.dag.resources import Platform
from justai_assets.dag.undated_asset import NAME
from justai_assets.landing.change_detection import Tick, watch
from justai_assets.landing.day_changes import EMPTY
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.listing import LandedDay
from justai_assets.landing.notifications import read_hints
from justai_assets.landing.org_changes import Cache, Watched
from justai_assets.landing.sensor_cursor import decode, encode
from justai_assets.orgs.org_model import Org
from justai_assets.settings import Settings
from justai_assets.sources.lineage import landing_sources, table_of
from justai_assets.sources.registry import landing_of, landings
from justai_assets.storage import Root

DEFAULT_INTERVAL_SECONDS = 60
DATA_VERSION_TAG = "dagster/data_version"


def now_utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


def door_sensors(orgs: Sequence[Org], now: Callable[[], datetime] = now_utc) -> list[dg.SensorDefinition]:
    """A sensor for every door kind that some org has."""
    present = {door for org in orgs for door in landing_sources(org)}
    return [door_sensor(door, orgs, now) for door in landings() if door in present]


def door_sensor(door: str, orgs: Sequence[Org], now: Callable[[], datetime] = now_utc) -> dg.SensorDefinition:
    """Reports changed days of a door on its landing assets; automation rebuilds what depends on them.

    A tick that dies after its reports and before its cursor repeats them; it never skips one. A change in the folder of
    undated records, which belong to no day, requests a run of `[org, undated_records]` instead.

    JUSTAI_DOOR_SECONDS is the least time between two ticks.
    """
    mine = {org.slug: org for org in orgs if door in landing_sources(org)}
    watched = {slug: Watched(org.start_date, _settle(org, door)) for slug, org in mine.items()}
    cache = Cache()

    @dg.sensor(
        # The implicit job over all assets: undated records run as a selection of it.
        job_name="__ASSET_JOB",
        name=f"watch_{landing_of(door).asset}",
        minimum_interval_seconds=int(os.environ.get("JUSTAI_DOOR_SECONDS") or DEFAULT_INTERVAL_SECONDS),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Lists what {door} has landed for every org and reports the days that changed.",
    )
    def watch_door(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        landing, lake = platform.landing(), platform.lake().root
        cursor = decode(context.cursor)
        time_now = now()
        hints = None
        if os.environ.get("JUSTAI_LANDING_QUEUE"):
            hints = read_hints(lake, door, after=cursor.hint, now=time_now)
        tick = watch(
            landing,
            lake,
            door,
            watched,
            cursor,
            now=time_now,
            clock=time.monotonic,
            cache=cache,
            hints=hints,
            slice_name=Settings.from_environment().slice_name,
        )
        _speak(context, tick)
        dated = [(slug, day, version) for slug, day, version in tick.reports if day.day is not None]
        undated = [(slug, version) for slug, day, version in tick.reports if day.day is None]
        runs = [
            _undated_run(door, slug, version, cursor.tick)
            for slug, version in undated
            if table_of(mine[slug], door) is not None
        ]
        summary = f"{tick.visited} of {len(mine)} orgs looked at, {len(dated)} days changed"
        return dg.SensorResult(
            asset_events=[landed_event(landing, door, slug, day, version) for slug, day, version in dated],
            run_requests=runs,
            skip_reason=None if runs else dg.SkipReason("; ".join([summary, *_said(tick)])),
            cursor=encode(tick.cursor),
        )

    return watch_door


def landed_event(landing: Root, door: str, slug: str, day: LandedDay, version: str) -> dg.AssetMaterialization:
    """A day as it lies at the door now: files, bytes, newest time, address, and the hash of its content."""
    assert day.day is not None
    metadata: dict[str, Any] = {
        "files": len(day.data),
        "bytes": day.bytes,
        "dagster/uri": landing.uri(day_prefix(door, slug, day.day)),
    }
    if day.newest is not None:
        metadata["newest"] = dg.MetadataValue.timestamp(day.newest)
    return dg.AssetMaterialization(
        landing_key(slug, door),
        partition=day.day.isoformat(),
        description="No object lies there; the day is rebuilt empty." if version == EMPTY else None,
        metadata=metadata,
        tags={DATA_VERSION_TAG: version},
    )


def _undated_run(door: str, slug: str, version: str, tick: int) -> dg.RunRequest:
    # With the tick's number, which a repetition after a crash shares: content that comes back as it was is run again.
    return dg.RunRequest(
        run_key=f"undated:{door}:{slug}:{version}:{tick}",
        asset_selection=[dg.AssetKey([slug, NAME])],
        tags={"org": slug, "door": door},
    )


def _settle(org: Org, door: str) -> timedelta:
    settings = org.sources.of(door)
    return timedelta(seconds=settings.settle if settings else 0)


def _speak(context: dg.SensorEvaluationContext, tick: Tick) -> None:
    """Failures and remarks, in the tick's log. When every org failed, the tick itself does."""
    for slug, error in tick.failures.items():
        context.log.error(f"{slug}: {error}")
    for slug, remarks in tick.remarks.items():
        context.log.warning(f"{slug}: {'; '.join(remarks)}")
    if tick.failures and len(tick.failures) == tick.visited:
        raise next(iter(tick.failures.values()), TransientStorageError("no org could be looked at"))


def _said(tick: Tick) -> list[str]:
    failed = [f"{slug} could not be listed" for slug in tick.failures]
    return [*failed, *(f"{slug}: {remark}" for slug, remarks in tick.remarks.items() for remark in remarks)][:20]
