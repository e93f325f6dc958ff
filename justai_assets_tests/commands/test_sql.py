from __future__ import annotations

import re
from pathlib import Path

import pytest

from justai_assets.attribution.sql.dialects import DIALECTS
from justai_assets.cli import run
from justai_assets_tests.grammar import parsed, split
from justai_assets_tests.world import WEBHOOK_ORG, World

DOCS = Path(__file__).parents[2] / "docs/customer.md"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_printed_with_the_orgs_names_and_windows(
    world: World, capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    world.add_org(WEBHOOK_ORG, attribution={"window_hours": 48, "windows": {"signup": 72}, "send_events": ["smsSend"]})
    assert run(["sql", "--dialect", dialect, "--org", "acme"]) == 0
    out = capsys.readouterr().out
    for statement in split(out):
        parsed(statement, dialect)
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
        (["--dialect", "redshift", "--engagement-column", "x"], "ours=theirs"),
        (["--dialect", "redshift", "--engagement-column", "x=y"], "is not read"),
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
