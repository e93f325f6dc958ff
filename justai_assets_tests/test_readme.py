"""The README is true: what it shows runs, what it names exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.storage import Root
from justai_assets_tests.collector.service import free_port
from justai_assets_tests.world import SALT

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
(WEBHOOKS,) = [block for block in BLOCKS if "justai collect" in block]
COMMANDS = [
    line.split("#")[0].strip()
    for block in BLOCKS
    if block is not WEBHOOKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]


def test_the_readme_fits_on_three_screens() -> None:
    assert len(README.splitlines()) <= 150


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) > 8
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_the_make_commands_set_up_and_call_what_the_readme_says() -> None:
    for target, calls in {"run": "justai demo", "test": "justai_assets_tests.suite", "ui": "justai ui"}.items():
        assert f"make {target}" in COMMANDS
        said = subprocess.run(["make", "-n", "-B", target], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert calls in said.stdout
        assert "--require-hashes" in said.stdout


def test_every_justai_command_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("JUSTAI_LANDING", "JUSTAI_LAKE", "JUSTAI_ORGS_DIR", "JUSTAI_ORGS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACME_SALT", "salt")
    monkeypatch.setenv("ACME_API_KEY", "key")
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "orgs").mkdir()
    (tmp_path / ".justai" / "landing").mkdir(parents=True)
    (tmp_path / "orgs" / "acme.yaml").write_text(sample, encoding="utf-8")
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    ids = {"message_id": ["m"], "template_id": ["t"], "campaign_id": ["c"]}
    for folder, more in (("esp", {"event_name": ["emailSend"], **ids}), ("custom", {"event_name": ["purchase"]})):
        (tmp_path / folder).mkdir()
        pl.DataFrame({**more, "event_timestamp": [at], "user_id": ["u"]}).write_parquet(tmp_path / folder / "a.parquet")
    commands = [line for line in COMMANDS if line.startswith("justai ")]
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command
    assert pl.read_parquet(tmp_path / "unified").height == 2


def test_the_requests_of_the_readme_become_rows_of_the_unified_stream(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "orgs").mkdir()
    (tmp_path / ".justai" / "landing").mkdir(parents=True)
    (tmp_path / "orgs" / "acme.yaml").write_text(sample, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "justai"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from justai_assets.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUSTAI_", "DAGSTER_"))}
    environment |= {"PATH": f"{command.parent}:{environment['PATH']}", "ACME_SALT": SALT, "ACME_API_KEY": "key"}
    environment["PYTHONPATH"] = str(PROJECT)
    done = subprocess.run(
        ["sh", "-e", "-c", WEBHOOKS.replace("8080", str(free_port()))],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    explained = done.stdout.partition("m1")[2]
    assert "emailSend" in explained
    assert "purchase" in explained
    rows = Lake(Root.parse(str(tmp_path / ".justai" / "lake"))).scan("acme", UNIFIED_EVENTS).collect()
    found = rows.select("event_name", "message_id", "template_id").rows()
    assert sorted(found) == [("emailSend", "m1", "501"), ("purchase", "m1", "501")]
