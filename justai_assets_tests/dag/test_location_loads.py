"""The location as Dagster itself loads it: every name checked against every other, which building it alone is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from justai_assets.definitions import defs
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.sample_orgs import write_orgs, write_share_org


def test_the_location_of_the_demos_orgs_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = DemoPlace(tmp_path / "demo")
    place.fresh()
    write_orgs(place, date(2026, 1, 1))
    write_share_org(place, date(2026, 1, 1))
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    defs().get_repository_def().load_all_definitions()


def test_a_location_without_orgs_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path))
    defs().get_repository_def().load_all_definitions()
