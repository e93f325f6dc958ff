"""Another rule and another salt: the days are listed, asked for, and rebuilt by a real daemon."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.dag.backfills import backfill_status
from justai_assets.dag.headless import materialize_days
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.demo_week import land_week
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_loader import load_orgs
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import org_tables
from justai_assets.storage import Root
from justai_assets_tests.e2e.daemon import Daemon, daemon


def change(place: DemoPlace) -> None:
    """A shorter window, and another salt."""
    path = place.orgs_dir / "acme.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("window_hours: 24, windows: {purchase: 72}", "window_hours: 24"), encoding="utf-8")
    (salt,) = place.home.rglob("acme-salt*")
    salt.write_text("another-salt-than-the-one-of-before", encoding="utf-8")


def build(place: DemoPlace, days: Days, today: date) -> Org:
    org = load_orgs(place.orgs_dir).get("acme")
    assert materialize_days(org, days, [table.name for table in org_tables(org)], today=today)
    return org


def rows(lake: Lake, org: Org) -> dict[str, pl.DataFrame]:
    found = {table.name: lake.scan(org.slug, table).collect() for table in org_tables(org)}
    return {name: frame.sort(frame.columns) for name, frame in found.items()}


def outdated(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What status lists as outdated, by org and table, days and reasons."""
    assert run(["status", "--org", "acme"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.removeprefix("outdated: ") for line in lines if line.startswith("outdated: ")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_changed_rule_and_salt_are_listed_and_a_real_daemon_rebuilds_the_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = DemoPlace(tmp_path / "demo")
    place.fresh()
    # Nothing but the backfill builds: the automation takes in what there is when it starts, and is not asked again.
    environment = {**place.environment(), "JUSTAI_AUTOMATION_SECONDS": "3600"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    today = datetime.now(UTC).date()
    days = Days(today - timedelta(days=6), today - timedelta(days=4))
    land_week(place, days, sends_a_day=100)
    (place.orgs_dir / "globex.yaml").unlink()
    lake = Lake(Root.parse(str(place.lake)))
    with monkeypatch.context() as alone:
        alone.delenv("DAGSTER_HOME")
        before = rows(lake, build(place, days, today))
    home = place.home / "dagster"
    (home / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.get_run_records(limit=1)
    capsys.readouterr()
    assert outdated(capsys) == []

    change(place)
    found = outdated(capsys)
    assert f"acme/esp_events: {days} (salt)" in found
    assert f"acme/attributed_events: {days} (rule, salt)" in found
    with daemon(home, environment) as running:
        asked = ["backfill", "--org", "acme", "--from", str(days.first), "--to", str(days.last), "--only-outdated"]
        assert run(asked) == 0
        (backfill,) = running.instance.get_backfills()
        running.wait("the backfill", lambda: backfill_status(running.instance, backfill.backfill_id)[1], seconds=400)
        assert backfill_status(running.instance, backfill.backfill_id)[0] == "COMPLETED_SUCCESS", running.told()
        runs = only_of(running, backfill.backfill_id)
    capsys.readouterr()
    assert outdated(capsys) == []
    assert len(runs) <= 6, "ranged runs, not one a table and day"

    after = rows(lake, load_orgs(place.orgs_dir).get("acme"))
    monkeypatch.setenv("JUSTAI_LAKE", str(tmp_path / "anew"))
    monkeypatch.delenv("DAGSTER_HOME")
    anew = rows(Lake(Root.parse(os.environ["JUSTAI_LAKE"])), build(place, days, today))
    for name, frame in anew.items():
        assert after[name].equals(frame), name
    assert not before["esp_events"].equals(after["esp_events"])
    assert before["attributed_events"]["is_attributed"].sum() > after["attributed_events"]["is_attributed"].sum()


def only_of(running: Daemon, backfill_id: str) -> list[dg.DagsterRun]:
    """The runs of a backfill; whatever else built a day would have hidden what it does."""
    undated = {dg.AssetKey(["acme", "undated_records"])}
    every = [one for one in running.runs() if one.asset_selection != undated]
    assert {one.tags.get("dagster/backfill") for one in every} == {backfill_id}, running.told()
    return every
