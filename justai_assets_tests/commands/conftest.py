from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.sample_orgs import write_orgs
from justai_assets_tests.commands.days import DAYS
from justai_assets_tests.dag.demo_week import Week, landed_week


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    with landed_week(tmp_path / "demo", sends=20, days=DAYS) as found:
        yield found


@pytest.fixture
def org_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = DemoPlace(tmp_path / "demo")
    place.fresh()
    write_orgs(place, DAYS.first)
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
