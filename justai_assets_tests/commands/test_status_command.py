"""`justai status`, as typed."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.demo.demo_home import DemoPlace
from justai_assets_tests.commands.days import DAYS, LAST
from justai_assets_tests.dag.demo_week import Week
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey


def lines(text: str) -> dict[tuple[str, str], dict[str, object]]:
    found = [json.loads(line) for line in text.splitlines()]
    return {(one["org"], one["door"]): one for one in found}


def test_status_shows_what_landed_and_what_is_behind(week: Week, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--json"]) == 0
    found = lines(capsys.readouterr().out)
    doors = [door for _, door in found]
    assert doors == ["iterable_webhooks", "journey_webhooks", "redshift", "databricks"]
    one = found["acme", "iterable_webhooks"]
    assert one["last_day"] == str(LAST)
    assert one["complete"] is None
    assert one["behind"] == [str(day) for day in DAYS]
    assert 0 <= one["lag_seconds"] < 600


def test_status_shows_a_share_and_a_door_that_is_long_silent(
    org_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = DemoPlace(tmp_path / "demo")
    share = 'slug: umbra\nstart_date: 2026-01-01\npseudonym_salt: "env:X"\nengagement: delta_share\n'
    share += "sources:\n  delta_share: {profile: 'file:x', table: a.b.c}\n"
    (place.orgs_dir / "umbra.yaml").write_text(share, encoding="utf-8")
    webhooks = share.replace("umbra", "initech").replace("delta_share: {profile: 'file:x', table: a.b.c}", "x: {}")
    webhooks = webhooks.replace("delta_share", "iterable_webhooks").replace("x: {}", "iterable_webhooks: {}")
    (place.orgs_dir / "initech.yaml").write_text(webhooks, encoding="utf-8")
    day = LAST - timedelta(days=30)
    file = place.landing / f"webhooks/iterable/initech/event_date={day}/0.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    written = datetime.now(UTC).timestamp() - 30 * 86400
    os.utime(file, (written, written))
    assert run(["status", "--org", "umbra", "--org", "initech", "--json"]) == 0
    found = lines(capsys.readouterr().out)
    assert found["umbra", "delta_share"]["last_file"] is None
    silent = found["initech", "iterable_webhooks"]
    assert silent["last_day"] == str(day)
    assert silent["lag_seconds"] // 86400 == 30


def test_status_shows_what_is_built_and_what_is_left_failed(week: Week, capsys: pytest.CaptureFixture[str]) -> None:
    with dg.DagsterInstance.get() as instance:
        assert week.run(instance, ["esp_events"], DAYS).success
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("justai_assets.dag.org_assets.build_from_doors", lambda *_, **__: 1 / 0)
            assert not week.run(instance, ["esp_events"], Days(LAST, LAST)).success
    capsys.readouterr()
    assert run(["status", "--org", "acme", "--json"]) == 0
    one = lines(capsys.readouterr().out)["acme", "iterable_webhooks"]
    assert (one["complete"], one["behind"]) == (str(LAST), [])
    assert one["failed"] == {"esp_events": [str(LAST)]}
    assert run(["status", "--org", "acme"]) == 0
    assert f"failed: acme/esp_events: {LAST}" in capsys.readouterr().out
    assert run(["backfill", "--org", "acme", "--from", str(DAYS.first), "--to", str(LAST), "--only-failed"]) == 0
    printed = capsys.readouterr().out
    assert f"acme/esp_events: {LAST} (1 days)" in printed
    with dg.DagsterInstance.get() as instance:
        (backfill,) = instance.get_backfills()
        assert backfill.backfill_id in printed


def test_without_an_instance_failed_days_are_unknown(
    week: Week, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    assert run(["status", "--org", "globex"]) == 0
    assert "failed days: unknown; set DAGSTER_HOME" in capsys.readouterr().out
    assert run(["backfill", "--org", "acme", "--from", str(LAST), "--to", str(LAST)]) == 1
    assert "DAGSTER_HOME is not set" in capsys.readouterr().err


def test_a_broken_org_file_is_named_and_hides_no_other(week: Week, capsys: pytest.CaptureFixture[str]) -> None:
    (week.place.orgs_dir / "initech.yaml").write_text("slug: [", encoding="utf-8")
    assert run(["status", "--json"]) == 1
    printed = capsys.readouterr()
    assert len(lines(printed.out)) == 4
    assert "initech.yaml" in printed.err


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("JUSTAI_LAKE", "there is no folder {away} (justai materialize makes it"),
        ("JUSTAI_LANDING", "there is no folder {away} (mount or make it"),
        ("JUSTAI_ORGS_DIR", "there is no folder {away} of org files"),
        ("DAGSTER_HOME", "DAGSTER_HOME: {away} is not a folder"),
    ],
)
def test_status_says_what_is_not_there_and_makes_nothing(
    org_files: None, variable: str, said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, str(tmp_path / "away"))
    before = sorted(tmp_path.rglob("*"))
    assert run(["status"]) == 1
    assert said.format(away=tmp_path / "away") in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_status_lays_out_no_instance_in_an_empty_folder(
    org_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "empty"))
    assert run(["status"]) == 1
    assert "holds no Dagster instance" in capsys.readouterr().err
    assert list((tmp_path / "empty").iterdir()) == []


BEFORE = [esp("emailSend", f"2026-01-0{day} 10:00:00", messageId=f"m{day}") for day in (4, 5)]


def test_status_counts_what_happened_before_the_start_and_says_to_which_day_to_move_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.lake.root.local("").mkdir()
    world.add_org(WEBHOOK_ORG, start_date=date(2026, 1, 6))
    world.land("iterable_webhooks", "acme", None, [*BEFORE, "{broken"])
    world.land("journey_webhooks", "acme", None, [journey("2026-01-03 11:00:00")])
    assert run(["status"]) == 0
    said = capsys.readouterr().out
    assert (
        "acme/iterable_webhooks: 2 records of events from 2026-01-04 to 2026-01-05, before start_date, are in no table"
        in said
    )
    assert "acme/journey_webhooks: 1 records of events on 2026-01-03, before start_date, are in no table" in said
    assert said.count("move start_date of acme to 2026-01-03 or earlier") == 1
    assert run(["status", "--json"]) == 0
    found = lines(capsys.readouterr().out)
    assert found["acme", "iterable_webhooks"]["before_start"] == {"2026-01-04": 1, "2026-01-05": 1}
    assert found["acme", "redshift"]["before_start"] == {}

    world.add_org(WEBHOOK_ORG, start_date=date(2026, 1, 3))
    assert world.materialize("2026-01-03", "2026-01-06")
    capsys.readouterr()
    assert run(["status"]) == 0
    assert "before start_date" not in capsys.readouterr().out


def test_status_reads_a_bounded_part_of_the_undated_objects_and_says_what_it_left(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lake.root.local("").mkdir()
    world.add_org(WEBHOOK_ORG, start_date=date(2026, 1, 6))
    keys = [world.land("iterable_webhooks", "acme", None, [line], name=str(n)) for n, line in enumerate(BEFORE)]
    paths = [world.landing.local(key) for key in keys]
    for age, path in zip((7200, 3600), paths, strict=True):
        written = datetime.now(UTC).timestamp() - age
        os.utime(path, (written, written))
    monkeypatch.setattr("justai_assets.quality.org_status.UNDATED_BYTES", paths[1].stat().st_size)
    assert run(["status"]) == 0
    said = capsys.readouterr().out
    assert "acme/iterable_webhooks: 1 records of events on 2026-01-05, before start_date, are in no table" in said
    assert "acme/iterable_webhooks: 1 undated objects are not looked into; justai doctor --org acme reads all" in said
    assert run(["status", "--json"]) == 0
    found = lines(capsys.readouterr().out)["acme", "iterable_webhooks"]
    assert (found["before_start"], found["undated_unread"]) == ({"2026-01-05": 1}, 1)
    assert run(["doctor", "--org", "acme"]) in {0, 1}
    assert "2026-01-04" in capsys.readouterr().out, "the older one, which status left"


def test_status_counts_what_happened_before_the_start_of_an_org_that_has_not_begun(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.lake.root.local("").mkdir()
    world.add_org(WEBHOOK_ORG, start_date=LAST + timedelta(days=30))
    world.land("iterable_webhooks", "acme", None, BEFORE)
    assert run(["status", "--json"]) == 0
    ((key, one),) = lines(capsys.readouterr().out).items()
    assert (key, one["before_start"]) == (("acme", "iterable_webhooks"), {"2026-01-04": 1, "2026-01-05": 1})
