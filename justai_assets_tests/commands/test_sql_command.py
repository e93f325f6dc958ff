from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot

from justai_assets.attribution.sql.dialects import DIALECTS
from justai_assets.cli import run
from justai_assets_tests.grammar import parsed, query_of_unload, split
from justai_assets_tests.world import WEBHOOK_ORG, World

DOCS = Path(__file__).parents[2] / "docs/customer.md"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_printed_with_the_orgs_names_and_windows(
    world: World, capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    org = {**WEBHOOK_ORG, "custom": ["journey_webhooks"], "sources": {**WEBHOOK_ORG["sources"], "redshift": None}}
    del org["sources"]["redshift"]
    world.add_org(org, attribution={"window_hours": 48, "windows": {"signup": 72}, "send_events": ["smsSend"]})
    assert run(["sql", "--dialect", dialect, "--org", "acme"]) == 0
    printed = capsys.readouterr()
    out = printed.out
    for statement in split(out):
        parsed(statement, dialect)
    assert printed.err == ""
    assert out.startswith(f"-- acme: unified stream for JustAI ({dialect}")
    assert "48" in out
    assert "72" in out
    assert re.search(r"IN \('{1,2}smsSend'{1,2}\)", out)
    if dialect in {"redshift", "databricks"}:
        assert f"/{dialect}/acme/'" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dialect", "oracle"], "is not a dialect"),
        (["--dialect", "redshift", "--form", "fax"], "is not a form"),
        (["--dialect", "redshift", "--form", "share"], "has no form"),
        (["--dialect", "redshift", "--from", "2026-01-01"], "two ends"),
        (["--dialect", "redshift", "--from", "2026-01-01", "--to", "2026-01-02", "--last-days", "3"], "exclude"),
        (["--dialect", "databricks", "--engagement-column", "x"], "ours=theirs"),
        (["--dialect", "databricks", "--engagement-column", "x=y"], "is not read"),
        (["--dialect", "databricks", "--content", "everything"], "is not a content"),
        (["--dialect", "databricks", "--form", "share", "--content", "custom_events"], "Delta Share"),
        (["--dialect", "redshift", "--custom-column", "user_id=x"], "user_id is not read"),
        (["--dialect", "redshift", "--event", "emailSend"], "no engagement event is read"),
        (["--dialect", "redshift", "--custom-table", "a; DROP TABLE b"], "custom table"),
    ],
)
def test_what_cannot_be_printed_is_one_clear_line(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(["sql", "--org", "acme", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_an_export_is_what_the_org_file_says_of_its_door(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(["sql", "--dialect", "redshift", "--org", "acme"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "-- acme: custom events for JustAI (redshift, export)" in printed.out
    (unload,) = [one for one in split(printed.out) if one.startswith("UNLOAD")]
    query = sqlglot.parse_one(query_of_unload(unload), read="redshift")
    assert query.named_selects == ["event_timestamp", "event_name", "user_id_or_email", "event_date"]
    assert "FROM public.custom_metrics" in unload
    for form in ("query", "view"):
        assert run(["sql", "--dialect", "redshift", "--org", "acme", "--form", form]) == 0
        assert "template_id" in capsys.readouterr().out


def test_a_content_that_the_door_would_refuse_is_warned_of_in_the_script_and_beside_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(["sql", "--dialect", "redshift", "--org", "acme", "--content", "unified_events"]) == 0
    printed = capsys.readouterr()
    said = "acme.yaml says sources.redshift.content: custom_events; that door refuses unified_events whole"
    assert printed.err == f"{said}\n"
    assert printed.out.startswith(f"-- CAUTION: {said}.\n")
    assert run(["sql", "--dialect", "databricks", "--org", "acme", "--content", "custom_events"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "user_id_or_email STRING" in printed.out


def test_the_commands_of_the_guide_run_as_they_stand(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path / "guide"))
    monkeypatch.setenv("ACME_API_KEY", "key")
    commands = re.findall(r"^    justai (.+)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["org", "connect", "doctor", "sql"]
    codes = [run(command.split()) for command in commands]
    # Nothing has landed for a new org: that is what its doctor says.
    assert codes == [0, 0, 1, 0]
    assert "nothing has landed" in capsys.readouterr().out
