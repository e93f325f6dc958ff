from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets_tests.conftest import make_world
from justai_assets_tests.e2e import mixed_week
from justai_assets_tests.world import World


@pytest.fixture(scope="session")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the mixed week is landed and built, late files included."""
    folder = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        mixed_week.build(make_world(folder, str(folder / "landing"), str(folder / "lake"), patch))
    return folder


@pytest.fixture(scope="module")
def mixed(mixed_folder: Path) -> Iterator[World]:
    """The mixed week, which its tests leave as it is, with the environment that points at it."""
    with pytest.MonkeyPatch.context() as patch:
        (mixed_folder / "landing").rename(mixed_folder / "kept")
        world = make_world(mixed_folder, str(mixed_folder / "landing"), str(mixed_folder / "lake"), patch)
        (mixed_folder / "landing").rmdir()
        (mixed_folder / "kept").rename(mixed_folder / "landing")
        mixed_week.add_orgs(world)
        yield world
