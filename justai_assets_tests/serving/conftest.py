from collections.abc import Iterator
from pathlib import Path

import pytest

from justai_assets_tests.serving.nursery import Nursery, nursery
from justai_assets_tests.serving.service import SECRETS, write_orgs


@pytest.fixture(scope="session")
def starter() -> Iterator[Nursery]:
    """One nursery for all tests: its imports are the slowest part of starting a service."""
    with nursery() as found:
        yield found


@pytest.fixture(autouse=True)
def landing_root(tmp_path: Path) -> None:
    """A local landing root, which the collector never makes."""
    (tmp_path / "landing").mkdir()


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with org files, and their secrets in the environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    write_orgs(tmp_path)
    return tmp_path
