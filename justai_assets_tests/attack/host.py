"""A machine that goes down: a real daemon killed whole at random moments, and what is so minutes after its restart.

`python -m justai_assets_tests.attack.host --rounds 20`. Every round, new files land, the daemon with its code server and
its workers is killed (SIGKILL to all of them), and started again. Within the limit every table must be built from what
landed, no pool slot held, no run under way without a worker, and, where a run was lost, its alert gone out.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.demo_week import land_week
from justai_assets.lake.store import Lake
from justai_assets.storage import Root
from justai_assets_tests.dag.receiver import receiver
from justai_assets_tests.e2e.daemon import processes
from justai_assets_tests.world import esp

LIMIT_SECONDS = 300.0
SERVER = Path(__file__).resolve().parents[2] / "deploy" / "dagster.yaml"
UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def run(arguments: list[str]) -> int:
    """Kill and restart for some rounds; 0 when every round came to rest in time."""
    parser = argparse.ArgumentParser(prog="host", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    dice = random.Random(given.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="justai-host-") as folder, receiver(200) as (url, alerts):
        place = DemoPlace(Path(folder) / "demo")
        place.fresh()
        environment = {
            **place.environment(),
            "JUSTAI_DOOR_SECONDS": "10",
            "JUSTAI_AUTOMATION_SECONDS": "10",
            "JUSTAI_ALERT_URL": url,
        }
        os.environ.update(environment)
        today = datetime.now(UTC).date()
        land_week(place, Days(today - timedelta(days=12), today - timedelta(days=5)), sends_a_day=50)
        home = place.home / "dagster"
        (home / "dagster.yaml").write_text(_configuration(), encoding="utf-8")
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.get_run_records(limit=1)
            for number in range(given.rounds):
                day = today - timedelta(days=5 + number % 7)
                landed = _land(place, day, number)
                with processes(home / "daemon.log", environment):
                    pause = dice.uniform(8, 60)
                    time.sleep(pause)
                lost = [one.run_id for one in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))]
                began = time.monotonic()
                with processes(home / "daemon.log", environment):
                    left = _wait(instance, place, landed, day, lost, alerts)
                took = time.monotonic() - began
                bad += bool(left)
                said = f"LEFT: {left}" if left else "at rest"
                sys.stdout.write(
                    f"round {number}: killed after {pause:.0f} s, {len(lost)} lost, {took:.0f} s: {said}\n"
                )
                sys.stdout.flush()
    return 1 if bad else 0


def _configuration() -> str:
    """The server's, on SQLite; the backfill daemon's sleep is shortened by the program."""
    settings = yaml.safe_load(SERVER.read_text(encoding="utf-8"))
    del settings["storage"]
    return yaml.safe_dump(settings)


def _land(place: DemoPlace, day: date, number: int) -> int:
    """A new file of the webhook org; how many sends of the day it adds up to are in the folder afterwards."""
    import zstandard

    folder = place.landing / "webhooks" / "iterable" / "acme" / f"event_date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    row = esp("emailSend", f"{day} 10:00:00", email=f"host{number}@example.com", messageId=f"host-{number}")
    (folder / f"host-{number:04}.jsonl.zst").write_bytes(zstandard.compress(f"{row}\n".encode()))
    return number


def _wait(
    instance: dg.DagsterInstance,
    place: DemoPlace,
    number: int,
    day: date,
    lost: list[str],
    alerts: list[dict[str, Any]],
) -> str:
    """What is not as it must be at the end of the limit, or "" as soon as all is."""
    deadline = time.monotonic() + LIMIT_SECONDS
    left = "?"
    while time.monotonic() < deadline and left:
        time.sleep(3)
        left = _left(instance, place, number, day, lost, alerts)
    return left


def _left(
    instance: dg.DagsterInstance,
    place: DemoPlace,
    number: int,
    day: date,
    lost: list[str],
    alerts: list[dict[str, Any]],
) -> str:
    lake = Lake(Root.parse(str(place.lake)))
    for table in (ESP_EVENTS, UNIFIED_EVENTS):
        if lake.open("acme", table) is None:
            return f"{table.name} does not exist"
        ids = lake.scan("acme", table).collect().filter(event_date=day)["message_id"].to_list()
        if f"host-{number}" not in ids:
            return f"{table.name} of {day} lacks the last file"
    stuck = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)) if run.run_id in lost]
    if stuck:
        return f"runs under way without a worker: {stuck}"
    holders = {
        slot.run_id
        for pool in instance.event_log_storage.get_concurrency_keys()
        for slot in instance.event_log_storage.get_concurrency_info(pool).claimed_slots
    }
    if holders & set(lost):
        return f"slots held by {sorted(holders & set(lost))}"
    told = {str(alert["run_id"]) for alert in alerts}
    failed = (
        {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=lost)) if not run.is_success} if lost else set()
    )
    return f"no alert on {sorted(failed - told)}" if failed - told else ""


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
