"""Where the demo keeps its things: one folder that holds landing, lake, org files, secrets and Dagster's storage."""

from __future__ import annotations

import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import justai_assets
from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError

INSTANCE = Path(justai_assets.__file__).with_name("dagster.yaml")
"""Dagster's settings for one machine."""

_MARK = ".justai-demo"


@dataclass(frozen=True)
class DemoPlace:
    """The demo's folder."""

    home: Path

    @property
    def orgs_dir(self) -> Path:
        """Org files."""
        return self.home / "orgs"

    @property
    def landing(self) -> Path:
        """The landing root."""
        return self.home / "landing"

    @property
    def lake(self) -> Path:
        """The lake root."""
        return self.home / "lake"

    def environment(self) -> dict[str, str]:
        """The variables that point the platform at the demo."""
        return {
            "JUSTAI_LANDING": str(self.landing),
            "JUSTAI_LAKE": str(self.lake),
            "JUSTAI_ORGS_DIR": str(self.orgs_dir),
            "JUSTAI_ORGS": "",
            "JUSTAI_MARTS": str(self.home / "marts.duckdb"),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def fresh(self) -> None:
        """Empty the folder and lay it out anew; refuses to empty one that no demo made."""
        if self.home.exists() and not self.home.is_dir():
            raise JustAIError(f"{self.home} is not a folder", code="demo_home_no_folder", mend="name another --home")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / _MARK).exists():
            raise JustAIError(
                f"{self.home} is not empty and no demo made it", code="demo_home_taken", mend="name another --home"
            )
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (self.orgs_dir, self.landing, self.lake, self.home / "dagster", self.home / "secrets"):
            folder.mkdir(parents=True)
        (self.home / _MARK).write_text("made by justai demo; emptied by the next one\n", encoding="utf-8")
        shutil.copy(INSTANCE, self.home / "dagster" / "dagster.yaml")

    @property
    def env(self) -> Path:
        """What a shell sources to work on the demo's data."""
        return self.home / "env"

    def write_env(self, days: Days, key_of: Mapping[str, str]) -> None:
        """Write `env`: the variables, this installation's commands on the PATH, and secrets by name.

        Args:
            days: the demo's week; its ends are JUSTAI_DEMO_FIRST and JUSTAI_DEMO_LAST, for the commands of docs/.
            key_of: variable → secret; the shell reads each from its file.
        """
        lines = ["# source this file: a shell then works on the data of justai demo"]
        week = {"JUSTAI_DEMO_FIRST": str(days.first), "JUSTAI_DEMO_LAST": str(days.last)}
        variables = {**self.environment(), **week}
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines += [
            f'export {name}="$(cat {shlex.quote(str(self.secret_file(secret)))})"' for name, secret in key_of.items()
        ]
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        self.env.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def files(self) -> Path:
        """Two Parquet files for `justai attribute`: engagement and custom events."""
        return self.home / "files"

    @property
    def shared(self) -> Path:
        """The table that a customer shares; its storage, not ours."""
        return self.home / "customer" / "unified"

    def secret_file(self, name: str) -> Path:
        """Where a secret lies."""
        return self.home / "secrets" / name

    def secret(self, name: str) -> str:
        """Write a random secret and return the reference to it, relative to the org files."""
        path = self.secret_file(name)
        path.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        path.chmod(0o600)
        return f"file:../secrets/{name}"
