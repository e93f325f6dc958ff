"""The README is true: what it shows runs, what it names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
import yaml

from justai_assets.cli import run
from justai_assets.collector.config import CollectorConfig
from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.dag.headless import materialize_days
from justai_assets_tests.collector.service import running
from justai_assets_tests.conftest import make_world
from justai_assets_tests.world import SALT, esp

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()
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
    (tmp_path / "orgs" / "acme.yaml").write_text(sample, encoding="utf-8")
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    ids = {"message_id": ["m"], "template_id": ["t"], "campaign_id": ["c"]}
    for folder, more in (("esp", {"event_name": ["emailSend"], **ids}), ("custom", {"event_name": ["purchase"]})):
        (tmp_path / folder).mkdir()
        pl.DataFrame({**more, "event_timestamp": [at], "user_id": ["u"]}).write_parquet(tmp_path / folder / "a.parquet")
    # `justai collect` serves until it is stopped: its own tests run it, with the README's request.
    commands = [line for line in COMMANDS if line.startswith("justai ") and not line.startswith("justai collect")]
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command
    assert pl.read_parquet(tmp_path / "unified").height == 2


def test_the_request_of_the_readme_becomes_a_row_of_the_unified_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "key")
    world = make_world(tmp_path, str(tmp_path / "landing"), str(tmp_path / "lake"), monkeypatch)
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    org = world.add_org(yaml.safe_load(sample))
    (curl,) = [shlex.split(line) for line in COMMANDS if line.startswith("curl ")]
    url = next(word for word in curl if word.startswith("http"))
    headers = {"X-Api-Key": "key", "Content-Type": "application/json"}
    config = CollectorConfig(tmp_path / "journal", str(tmp_path / "landing"), tmp_path / "orgs", access_log="none")
    with running(config, ACME_API_KEY="key", ACME_SALT=SALT) as service:
        service.wait_ready()
        answer = httpx.post(
            service.url + url.partition(":8080")[2], content=curl[curl.index("-d") + 1], headers=headers
        )
        assert answer.status_code == 202, answer.text
    landed = list((tmp_path / "landing").rglob("*.jsonl.zst"))
    assert len(landed) == 1  # a graceful stop lands what is in the journal
    day = date.fromisoformat(landed[0].parent.name.removeprefix("event_date="))
    sent = esp("emailSend", f"{day - timedelta(days=1)} 23:59:59", messageId="m" * 32, templateId=501, campaignId=9001)
    world.land("iterable_webhooks", "acme", day - timedelta(days=1), [sent])

    days = Days(day - timedelta(days=1), day)
    assert materialize_days(org, days, today=day)

    rows = world.table(UNIFIED_EVENTS).select("event_name", "event_date", "message_id").rows()
    assert ("purchase", day, "m" * 32) in rows
