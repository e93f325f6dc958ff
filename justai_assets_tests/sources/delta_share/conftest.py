from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Door, events, open_door, write


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A share of three days, partitioned, with a change feed."""
    for opened in open_door(tmp_path):
        for day in (D1, D2, D3):
            write(opened.source, events(day), feed=True)
        yield opened
