from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets_tests.built_folders import built_folder
from justai_assets_tests.conftest import make_world
from justai_assets_tests.e2e import mixed_week
from justai_assets_tests.world import World


@pytest.fixture(scope="session")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the mixed week is landed and built, late files included."""

    def build(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            mixed_week.build(make_world(folder, str(folder / "landing"), str(folder / "lake"), patch))

    return built_folder(tmp_path_factory, "mixed", build)


@pytest.fixture(scope="module")
def mixed(mixed_folder: Path) -> Iterator[World]:
    """The mixed week, which its tests leave as it is, with the environment that points at it."""
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(mixed_folder, str(mixed_folder / "landing"), str(mixed_folder / "lake"), patch)
        mixed_week.add_orgs(world)
        yield world
