"""Where the demo keeps its things: one folder that holds landing, lake, org files, secrets and Dagster's storage."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import justai_assets
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
            raise JustAIError(f"{self.home} is not a folder", mend="name another --home")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / _MARK).exists():
            raise JustAIError(f"{self.home} is not empty and no demo made it", mend="name another --home")
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (self.orgs_dir, self.landing, self.lake, self.home / "dagster", self.home / "secrets"):
            folder.mkdir(parents=True)
        (self.home / _MARK).write_text("made by justai demo; emptied by the next one\n", encoding="utf-8")
        shutil.copy(INSTANCE, self.home / "dagster" / "dagster.yaml")

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
