"""From a number down to messages, landing objects and the rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets_tests.conftest import copied_world, make_world
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

IDS = {"messageId": "m" * 32, "templateId": 501, "campaignId": 9001}
TEMPLATES = [{"id": "welcome", "key_metric": "purchase", "treatment": {"template_id": "501", "campaign_id": "9001"}}]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, str]]:
    """A folder where a week is built, and the two landing objects that its tests name."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        return folder, build(make_world(folder, str(folder / "landing"), str(folder / "lake"), patch))


@pytest.fixture
def week(built: tuple[Path, tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return copied_world(built[0], tmp_path, monkeypatch)


@pytest.fixture
def landed(week: World, built: tuple[Path, tuple[str, str]]) -> tuple[str, str]:
    return built[1]


def build(world: World) -> tuple[str, str]:
    """A send and a machine open, a purchase an hour later and one two days later; the two landing objects."""
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    opened = esp("emailOpen", "2026-01-05 10:30:00", proxySource="APPLE", **IDS)
    sent = world.land(
        "iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS), opened]
    )
    unknown = journey("2026-01-05 11:30:00", "stranger@example.com")
    bought = world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00"), unknown])
    world.land("journey_webhooks", "acme", "2026-01-07", [journey("2026-01-07 11:00:00")])
    assert world.materialize("2026-01-05", "2026-01-07")
    return sent, bought


def test_a_message_is_told_with_its_files_and_the_rule(
    landed: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "--org", "acme", "--message-id", "m" * 32]) == 0
    said = capsys.readouterr().out
    assert "welcome, treatment" in said
    assert f"emailSend  ← iterable_webhooks: {landed[0]}" in said
    assert "emailOpen, by a machine" in said
    assert f"purchase: attributed, 1:00:00 after the send, inside 24 h  ← journey_webhooks: {landed[1]}" in said
    assert "purchase: not attributed, 2 days, 1:00:00 after the send, outside 24 h" in said
    assert "unified_events holds 3 of its events; 3 are due." in said
    assert "jane" not in said


def test_a_number_is_recounted_and_traced(landed: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--org", "acme", "--metric", "template=welcome,event=purchase,date=2026-01-05"]) == 0
    said = capsys.readouterr().out
    assert "treatment (template 501, campaign 9001): 1 events" in said
    assert "1 within 24 h, 1 within 48 h, 1 within 72 h; the org's own window is 24 h" in said
    assert "attributed_events holds 1 of them, of 1 messages" in said
    assert f"1 from {landed[1]}" in said
    assert "no message of any template: 1 no_send" in said
    assert "less than 24 h before it" in said
    assert run(["explain", "--org", "acme", "--metric", "template=welcome,event=open,date=2026-01-05"]) == 0
    assert f"1 from {landed[0]}" in capsys.readouterr().out


def test_a_restated_number_says_what_moved_it(
    week: World, landed: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    late = week.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailOpen", "2026-01-05 12:00:00", **IDS)], "1")
    assert week.materialize("2026-01-05", "2026-01-05")
    assert run(["explain", "--org", "acme", "--metric", "template=welcome,event=open,date=2026-01-05"]) == 0
    assert f"events of template 501 1 → 2, because of {late}" in capsys.readouterr().out


def test_of_a_unified_stream_the_rule_is_the_senders(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_org(UNIFIED_ORG, templates=TEMPLATES)
    sent = ("emailSend", datetime(2026, 1, 5, 12, tzinfo=UTC), "m1", "501", "9001")
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
    world.drop("databricks", "globex", "2026-01-05", pl.DataFrame([sent], schema=names, orient="row"))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    assert run(["explain", "--org", "globex", "--metric", "template=welcome,event=purchase,date=2026-01-05"]) == 0
    said = capsys.readouterr().out
    assert "the sender of databricks gave each event its message" in said
    assert "latest send of the same person" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --message-id or --metric"),
        (["--message-id", "M" * 32], "case-sensitive"),
        (["--metric", "template=welcome,event=purchase"], "does not name a number"),
        (["--metric", "template=other,event=purchase,date=2026-01-05"], "it has welcome"),
        (["--metric", "template=welcome,event=purchase,date=yesterday"], "YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_explained_says_why(
    landed: tuple[str, str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "--org", "acme", *arguments]) in {1, 2}  # a day that is none is wrong use
    assert message in capsys.readouterr().err
