"""The README is true: what it shows runs, what it names exists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_loader import load_org
from justai_assets.storage import Root
from justai_assets_tests.serving.service import free_port
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


def shell(script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A script in a bare shell: nothing of this environment but the system's own commands."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **more}
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def after_make_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make run` has run, with few events; its last line is what the README says."""
    folder = tmp_path_factory.mktemp("newcomer")
    done = shell(
        f"{shlex.quote(sys.executable)} -c 'from justai_assets.cli import main; main()' demo --sends 60", folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "source .justai/demo/env"
    assert "source .justai/demo/env" in COMMANDS
    return folder


def commands_of(text: str) -> list[str]:
    """The `justai` commands that a text prints in blocks, one a line, without the remark behind."""
    blocks = re.findall(r"```sh\n(.*?)```|\n((?: {4}.*\n)+)", text, flags=re.DOTALL)
    lines = "".join(one or other for one, other in blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip().startswith("justai ")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_justai_command_of_the_readme_runs_in_a_bare_shell_after_make_run(after_make_run: Path) -> None:
    commands = [line for line in COMMANDS if line.startswith("justai ")]
    assert len(commands) == 3
    for command in commands:
        done = shell(f"source .justai/demo/env\n{command}", after_make_run)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert pl.read_parquet(after_make_run / ".justai" / "unified").height


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_justai_command_of_the_docs_that_needs_no_server_runs_after_make_run(after_make_run: Path) -> None:
    ran = 0
    for file in sorted((PROJECT / "docs").glob("*.md")):
        for command in commands_of(file.read_text(encoding="utf-8")):
            if command.startswith(SERVING) or "…" in command:
                continue
            done = shell(f"source .justai/demo/env\nexport ACME_SALT={SALT}\n{command}", after_make_run)
            assert done.returncode in NOT_DONE.get(command, {0}), f"{file.name}: {command}: {done.stderr}"
            assert "this should not have happened" not in done.stderr
            ran += 1
        # The org that customer.md makes has no secrets, and `org check` would say so.
        (after_make_run / ".justai" / "demo" / "orgs" / "hooli.yaml").unlink(missing_ok=True)
    assert ran >= 11


SERVING = ("justai collect", "justai bench", "justai backfill", "justai databricks wheel")
"""What does not end, takes minutes, or is tried elsewhere: test_collect, test_bench, test_operations, test_databricks."""

NOT_DONE = {
    "justai doctor --org hooli": {1},
}
"""Nothing has landed for a new org: that is what its doctor says."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_requests_of_the_readme_become_rows_of_the_unified_stream(after_make_run: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    port = str(free_port())
    done = shell(f"source .justai/demo/env\n{WEBHOOKS.replace('8080', port)}", after_make_run)
    assert done.returncode == 0, done.stderr
    explained = done.stdout.partition("m1")[2]
    assert "emailSend" in explained
    assert "purchase" in explained
    rows = Lake(Root.parse(str(after_make_run / ".justai" / "demo" / "lake"))).scan("acme", UNIFIED_EVENTS)
    found = rows.filter(pl.col("message_id") == "m1").select("event_name", "template_id").collect().rows()
    assert sorted(found) == [("emailSend", "501"), ("purchase", "501")]


def test_the_sample_org_file_of_the_readme_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "acme.yaml").write_text(sample, encoding="utf-8")
    monkeypatch.setenv("ACME_SALT", SALT)
    monkeypatch.setenv("ACME_API_KEY", "key")
    assert load_org(tmp_path / "acme.yaml", check_secrets=True).custom == ("journey_webhooks", "redshift")
