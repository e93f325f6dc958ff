from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Mirrored, events, open_mirrored, write


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[Mirrored]:
    """A share of three days, partitioned, with a change feed."""
    for opened in open_mirrored(tmp_path):
        for day in (D1, D2, D3):
            write(opened.source, events(day), feed=True)
        yield opened
