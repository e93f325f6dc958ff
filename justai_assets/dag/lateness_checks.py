"""Whether each door lands in time, judged by its files.

The freshness policy of a landing asset counts reports, and a day whose files vanished, or an empty day between two
others, is one as well. Here the storage itself is asked, also for doors that never landed anything.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import dagster as dg

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.dag.org_keys import landing_key, table_key
from justai_assets.dag.resources import Platform
from justai_assets.dag.source_sensor import now_utc
from justai_assets.landing.listing import stray_note
from justai_assets.orgs.org_model import Org
from justai_assets.quality.punctuality import DoorStatus, door_status, share_status
from justai_assets.sources.registry import lands
from justai_assets.storage import Root

NAME = "lands_in_time"
JOB = "check_doors"
AT_ONCE = 16
RECENT = timedelta(days=2)

DESCRIPTION = (
    "Something landed within the last 26 hours (warns), 50 hours at most (fails). Mend: ask the customer, look at the "
    "door's own log, or take the door out of the org file."
)


def landing_checks(orgs: Sequence[Org], now: Callable[[], datetime] = now_utc) -> list[dg.AssetChecksDefinition]:
    """One check a landing asset, all in one step: what landed last at each door of each org. None without a door."""
    doors = [(org, door) for org in orgs for door in org.sources.present() if lands(door)]
    if not doors:
        return []

    @dg.multi_asset_check(
        name="check_landing_doors",
        specs=[dg.AssetCheckSpec(NAME, asset=_key(org, door), description=DESCRIPTION) for org, door in doors],
        can_subset=True,
        description="Looks at what landed last at every door of every org.",
    )
    def check_landing_doors(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        landing, moment = platform.landing(), now()
        wanted = [
            (org, door)
            for org, door in doors
            if dg.AssetCheckKey(_key(org, door), NAME) in context.selected_asset_check_keys
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda one: _look(landing, one[0], one[1], moment.date()), wanted)
            for (org, door), status in zip(wanted, found, strict=True):
                yield _judged(_key(org, door), status, org.start_date, moment)

    return [check_landing_doors]


def share_check(org: Org, now: Callable[[], datetime] = now_utc) -> dg.AssetChecksDefinition:
    """Whether an org's share still brings something, judged by what its mirror last took."""
    key = table_key(org.slug, DELTA_SHARE)

    @dg.asset_check(asset=key, name=NAME, description=DESCRIPTION)
    def check(platform: Platform) -> dg.AssetCheckResult:
        moment = now()
        today = Days(moment.date(), moment.date())
        return _judged(key, share_status(platform.lake(), org.slug, today, {}), org.start_date, moment)

    return check


def _judged(key: dg.AssetKey, status: DoorStatus | JustAIError, start: date, now: datetime) -> dg.AssetCheckResult:
    """The check's result for one door; one that cannot be listed fails alone."""
    if isinstance(status, JustAIError):
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=NAME,
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=str(status),
            metadata={"code": status.code},
        )
    lateness = status.lateness(now, start)
    lag = status.lag(now)
    never = stray_note(status.strays) if status.strays else "nothing ever landed"
    said = never if lag is None else f"nothing has landed for {lag // timedelta(hours=1)} hours"
    metadata: dict[str, dg.MetadataValue | str] = {"last day": str(status.last_day or "none")}
    if status.last_file is not None:
        metadata["last file"] = dg.MetadataValue.timestamp(status.last_file)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=NAME,
        passed=lateness == "on time",
        severity=dg.AssetCheckSeverity.ERROR if lateness == "silent" else dg.AssetCheckSeverity.WARN,
        description=None if lateness == "on time" else said,
        metadata=metadata,
    )


def doors_schedules(checks: Sequence[dg.AssetChecksDefinition]) -> list[dg.ScheduleDefinition]:
    """Four times a day: a silent door is alerted on as often."""
    if not checks:
        return []
    job = dg.define_asset_job(
        JOB, selection=dg.AssetSelection.checks(*checks), description="Whether each door lands in time."
    )
    return [
        dg.ScheduleDefinition(
            name="check_doors_in_time",
            job=job,
            cron_schedule="20 1,7,13,19 * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Looks at what landed last at every door.",
        )
    ]


def _key(org: Org, door: str) -> dg.AssetKey:
    return landing_key(org.slug, door)


def _look(landing: Root, org: Org, door: str, today: date) -> DoorStatus | JustAIError:
    try:
        return door_status(landing, org.slug, door, Days(today - RECENT, today), None)
    except JustAIError as error:
        return error
