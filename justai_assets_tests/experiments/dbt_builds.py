"""The marts of a small world, built by dbt itself: in a process of its own, or here from the project parsed once."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from justai_assets.dag.marts_assets import PROJECT
from justai_assets_tests.world import World

PLACE = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))


DATABASE = "marts.duckdb"


@functools.cache
def parsed() -> bytes:
    """The project, parsed for every file of this name: no org or day changes it, and parsing costs more than most builds."""
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, JUSTAI_MARTS=f"{folder}/{DATABASE}"):
        done = dbtRunner().invoke(["--quiet", "parse", *PLACE, "--target-path", folder, "--log-path", folder])
        assert done.success, done.exception
        return (Path(folder) / "partial_parse.msgpack").read_bytes()


@dataclass
class Marts:
    """A world with marts built over it by dbt itself."""

    world: World
    folder: Path

    def build_apart(self) -> None:
        """Parse, test and build everything with the `dbt` command."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dbt")), *self._command()],
            env={**os.environ, "JUSTAI_MARTS": str(self.folder / DATABASE), "PYTHONPATH": str(PROJECT.parent)},
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        assert self._warned() == []

    def build(self, *arguments: str, folder: str = "", expected: tuple[str, ...] = ()) -> Path:
        """Run `dbt build`; the DuckDB file, in a folder below. `expected` are the tests that are to warn."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner
        from dbt.contracts.graph.manifest import Manifest

        path = self.folder / folder / DATABASE
        path.parent.mkdir(exist_ok=True)
        with mock.patch.dict(os.environ, JUSTAI_MARTS=str(path)):
            done = dbtRunner(Manifest.from_msgpack(parsed())).invoke(["--quiet", *self._command(*arguments)])
        DuckDBConnectionManager.close_all_connections()  # the file is whole then, as at the end of a process
        assert done.success, done.exception or done.result
        assert self._warned() == list(expected), "a test that warns does not fail the build"
        return path

    def _command(self, *arguments: str) -> list[str]:
        out = ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        return ["build", *arguments, *PLACE, *out]

    def _warned(self) -> list[str]:
        results = json.loads((self.folder / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
        return [one["unique_id"].split(".")[2] for one in results if one["status"] == "warn"]
