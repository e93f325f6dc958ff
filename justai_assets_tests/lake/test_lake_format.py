"""A lake of another format is refused by every entry, with one clear line and the fix, and nothing is written."""

from __future__ import annotations

import shutil
import socket

import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, TABLES, UNIFIED_EVENTS
from justai_assets.definitions import defs
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.lake.format_probe import PROBES, refuse_other_format
from justai_assets.lake.lake_format import FORMAT, FORMAT_KEY, LakeFormatError
from justai_assets.settings import Settings
from justai_assets_tests.lake.week import FIRST
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

DAY = str(FIRST)
DAYS = ["--from", DAY, "--to", DAY]
TEMPLATES = [{"id": "t", "key_metric": "click", "treatment": {"template_id": "1", "campaign_id": "2"}}]
ENTRIES = {
    "status": ["status", "--org", "acme"],
    "materialize": ["materialize", "--org", "acme", *DAYS],
    "doctor": ["doctor", "--org", "acme"],
    "report": ["report", "--org", "acme", "--out", "report.html"],
    "explain a message": ["explain", "--org", "acme", "--message-id", "m1"],
    "explain a number": ["explain", "--org", "acme", "--metric", f"template=t,metric=click,send_date={DAY}"],
    "marts": ["marts", *DAYS],
}


@pytest.fixture
def other(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """An org whose tables all are of the next format."""
    monkeypatch.chdir(world.folder)
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    world.land("iterable_webhooks", "acme", DAY, [esp("emailSend", f"{DAY} 10:00:00", messageId="m1")])
    for table in TABLES.values():
        world.lake.ensure("acme", table)
        found = world.lake.open_to_change("acme", table)
        assert found is not None
        found.alter.set_table_properties({FORMAT_KEY: str(FORMAT + 1)}, raise_if_not_exists=False)
    return world


def state(world: World) -> set[str]:
    return {one.key for one in world.lake.root.list("acme")}


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_command_refuses_it(entry: str, other: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(other)
    assert run(ENTRIES[entry]) == 1
    said = capsys.readouterr().err
    assert f"has lake format {FORMAT + 1}" in said
    assert "install the version that wrote it" in said
    assert "Traceback" not in said
    assert state(other) == before


def test_a_day_of_it_can_be_neither_read_nor_replaced(other: World) -> None:
    with pytest.raises(LakeFormatError):
        other.lake.scan("acme", ESP_EVENTS)
    rows, one = ESP_EVENTS.schema.to_frame(), Days(FIRST, FIRST)
    with pytest.raises(LakeFormatError), other.lake.replacing("acme", ESP_EVENTS, one) as writer:
        writer.write(FIRST, rows)


def test_the_code_location_refuses_it_before_any_run(other: World) -> None:
    before = state(other)
    with pytest.raises(LakeFormatError, match=f"acme/unified_events has lake format {FORMAT + 1}.*install the version"):
        defs()
    assert state(other) == before


def test_the_ui_refuses_it_before_it_starts(
    other: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("the UI was started"))
    place = DemoPlace(other.folder / "demo")
    place.fresh()
    shutil.copytree(other.lake.root.local(), place.lake, dirs_exist_ok=True)
    shutil.copy(Settings.from_environment().orgs_dir / "acme.yaml", place.orgs_dir)
    for name in place.environment():
        monkeypatch.setenv(name, "")
    assert run(["ui", "--home", str(place.home)]) == 1
    assert f"has lake format {FORMAT + 1}" in capsys.readouterr().err


@pytest.mark.parametrize("orgs", [["acme"], ["newest", "next", "acme"]])
def test_one_table_is_looked_at_and_of_few_orgs(orgs: list[str], other: World) -> None:
    with pytest.raises(LakeFormatError):
        refuse_other_format(other.lake, orgs)
    asked = iter([f"org-{number}" for number in range(200)])
    refuse_other_format(other.lake, asked)
    assert next(asked) == f"org-{PROBES}"


def test_a_lake_that_is_not_there_yet_is_nothing_to_say_and_is_not_made(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_org(WEBHOOK_ORG)
    defs()
    assert caplog.messages == []
    assert not world.lake.root.local().exists()


def test_a_lake_that_cannot_be_read_is_a_warning_and_the_location_loads(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_org(WEBHOOK_ORG)
    world.lake.ensure("acme", UNIFIED_EVENTS)
    (log,) = world.lake.root.local("acme/unified_events/_delta_log").glob("*.json")
    log.write_bytes(b"{torn")
    defs()
    (said,) = caplog.messages
    assert "is not known yet: acme/unified_events cannot be opened" in said


def test_a_store_that_does_not_answer_is_a_warning_and_the_location_loads_in_bounded_time(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_org(WEBHOOK_ORG)
    monkeypatch.setattr("justai_assets.lake.format_probe.SECONDS", 1.0)
    # A server that takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("JUSTAI_LAKE", "s3://bucket/lake")
        defs()
    (said,) = caplog.messages
    assert "s3://bucket/lake is of this version's format is not known yet: no answer within 1 s" in said
