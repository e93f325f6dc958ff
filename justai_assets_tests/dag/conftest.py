from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from justai_assets_tests.dag.demo_week import Week, landed_week


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    with landed_week(tmp_path / "demo") as found:
        yield found


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found
