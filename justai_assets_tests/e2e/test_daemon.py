"""The platform running itself: a real daemon, real sensors, real runs, on the demo's data."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterEventType

from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.headless import materialize_days
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.demo_week import land_week
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_of
from justai_assets.landing.listing import list_day
from justai_assets.orgs.org_loader import load_orgs
from justai_assets.storage import Root
from justai_assets_tests.e2e.daemon import Daemon, daemon

TABLES = {
    "globex": (UNIFIED_EVENTS, ATTRIBUTION_METRICS),
    "acme": (ESP_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS),
}
MADE = {"globex": TABLES["globex"], "acme": (CUSTOM_EVENTS, *TABLES["acme"])}
DAYS = 90
WEBHOOK_DAYS = 12


def worker_on_its_way(running: Daemon, lake: Lake, slug: str, table: Table) -> int | None:
    """The process of the run that is writing a table: files are there, and no commit that names them."""
    folder = lake.root.local(lake.key(slug, table))
    if len(list(folder.rglob("*.parquet"))) < 10:
        return None
    assert not list(folder.glob("_delta_log/*.json")), "too late: the run is done"
    for run in running.runs():
        if [list(key.path) for key in run.asset_selection or ()] != [[slug, table.name]]:
            continue
        for record in running.instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
            event = record.event_log_entry.dagster_event
            if event is not None and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value))
    return None


def spread(first: date, last: date) -> set[str]:
    return {str(day) for day in Days(first, last)}


def land_all_at_once(place: DemoPlace, days: Days) -> None:
    """90 days of the org by warehouse and the last twelve of the org by webhooks, written a day ago as it seems."""
    land_week(place, days, sends_a_day=20)
    yesterday = time.time() - 86_400
    for path in place.landing.rglob("*"):
        day = day_of(str(path))
        if path.is_file() and "/acme/" in str(path) and day and day <= days.last - timedelta(days=WEBHOOK_DAYS):
            path.unlink()
        elif path.is_file():
            os.utime(path, (yesterday, yesterday))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ninety_days_a_killed_run_a_rewritten_file_and_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DemoPlace(tmp_path / "demo")
    place.fresh()
    environment = {**place.environment(), "JUSTAI_DOOR_SECONDS": "10", "JUSTAI_AUTOMATION_SECONDS": "15"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    today = datetime.now(UTC).date()
    days = Days(today - timedelta(days=DAYS + 4), today - timedelta(days=5))
    land_all_at_once(place, days)
    landing = Root.parse(str(place.landing))
    lake = Lake(Root.parse(str(place.lake)))

    with daemon(place.home / "dagster", environment) as running:
        # 90 days at once, and their first run killed on its way.
        pid = running.wait("a run on its way", lambda: worker_on_its_way(running, lake, "globex", UNIFIED_EVENTS), 300)
        os.kill(pid, signal.SIGKILL)
        running.wait("all of it", lambda: running.at_rest(after=0), seconds=500)
        runs = running.runs()
        (failed,) = [run for run in runs if not run.is_success]
        assert failed.run_id in {run.parent_run_id for run in runs}, "it was tried again"
        orgs = {run.run_id: {key.path[0] for key in run.asset_selection or ()} for run in runs}
        tagged = {run.run_id: run.tags.get("org") for run in runs}
        assert all(tagged[one] in found for one, found in orgs.items() if len(found) == 1 and "marts" not in found)
        per_table = Counter(key for run in runs for key in run.asset_selection or ())
        # Two or three on a machine that has time. Reports and materializations trickle in one by one, and a tick in
        # their middle splits a range.
        assert max(per_table.values()) <= 10, f"a handful of ranged runs, not ninety\n{running.told()}"
        assert spread(days.first, days.last) <= running.materialized(["globex", "unified_events"], after=0)

        # Everything is as if it had been run in one piece.
        whole = Lake(Root.parse(str(tmp_path / "lake-at-once")))
        monkeypatch.setenv("JUSTAI_LAKE", whole.root.url)
        monkeypatch.delenv("DAGSTER_HOME")
        for slug, org in load_orgs(place.orgs_dir).by_slug.items():
            first = days.first if slug == "globex" else days.last - timedelta(days=WEBHOOK_DAYS)
            assert materialize_days(org, Days(first, today), [table.name for table in MADE[slug]], today=today)
            for table in TABLES[slug]:
                mine, expected = (one.scan(slug, table).collect() for one in (lake, whole))
                assert mine.height > 0
                assert mine.sort(mine.columns).equals(expected.sort(expected.columns)), f"{slug} {table.name}"

        # One file rewritten: that day, and the days that its sends can change.
        after = time.time()
        day = days.last - timedelta(days=8)
        found = list_day(landing, "iterable_webhooks", "acme", day).data[0]
        content = landing.read(found.key)
        landing.write(found.key, content + content)
        running.wait("the rewritten day", lambda: running.at_rest(after=after), seconds=300)
        names = ("esp_events", "custom_events", "attributed_events", "unified_events", "attribution_metrics")
        lookback = spread(day, day + timedelta(days=3))
        assert {name: running.materialized(["acme", name], after=after) for name in names} == {
            "esp_events": {str(day)},
            "custom_events": set(),
            "attributed_events": lookback,
            "unified_events": lookback,
            "attribution_metrics": lookback,
        }
        assert not running.materialized(["globex", "unified_events"], after=after)

        # The same bytes again: nothing.
        after = time.time()
        landing.write(found.key, content + content)
        time.sleep(35)
        assert running.runs(after=after) == []
        assert running.materialized(["acme", "iterable_webhooks"], after=after) == set()
