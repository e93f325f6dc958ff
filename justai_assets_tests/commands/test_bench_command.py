"""`justai bench` where it has nothing to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from justai_assets.cli import FAILED, run
from justai_assets.commands import bench_command as bench

COMMANDS = sorted(name for name in bench.app if not name.startswith("-"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_benchmark_of_an_installed_package_says_in_one_line_that_it_needs_a_checkout(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()  # of another distribution
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    assert run(["bench", command]) == FAILED
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert "runs from a checkout" in line
    assert "clone the repository" in line


def test_there_is_a_benchmark_of_each_stage() -> None:
    assert {"attribution", "ingest", "outcomes", "collect", "share", "spark", "scale"} == set(COMMANDS)
