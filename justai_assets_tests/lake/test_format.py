"""A lake of another format is refused by every entry, with one clear line and the fix, and nothing is written."""

from __future__ import annotations

import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, TABLES
from justai_assets.lake.format import FORMAT, FORMAT_KEY, LakeFormatError
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
