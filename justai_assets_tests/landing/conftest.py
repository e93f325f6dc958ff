from __future__ import annotations

import pytest

from justai_assets_tests.landing.watcher import AT_ONCE, Watcher
from justai_assets_tests.world import World


@pytest.fixture
def watcher(any_world: World) -> Watcher:
    return Watcher(any_world, {"acme": AT_ONCE})
