from __future__ import annotations

from pathlib import Path

import pytest

from justai_assets.lake.store import Lake
from justai_assets.storage import Root


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Root.parse(str(tmp_path / "lake")))
