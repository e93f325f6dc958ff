"""The process that attributes may die: once over a file, and the work is done from copies; always, and it is said."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from justai_assets.attribution.attribution_process import AttributionDiedError, attribute_apart
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.event_files import InputError
from justai_assets.attribution.rule import Rule
from justai_assets_tests.attribution.events import custom_file, esp_file
from justai_assets_tests.attribution.file_runs import PURCHASE, SEND


class Fatal:
    """Aborts the process that unpickles it, while a file exists; `Limits` afterwards."""

    def __init__(self, while_exists: Path, *, is_once: bool) -> None:
        self.arguments = (str(while_exists), is_once)

    def __reduce__(self) -> tuple[Any, ...]:
        return _abort, self.arguments


def _abort(while_exists: str, is_once: bool) -> Limits:
    path = Path(while_exists)
    if not path.exists():
        return Limits()
    if is_once:
        path.unlink()
    (path.parent / f".out.{os.getpid()}-left").mkdir()
    os.abort()


def run(folder: Path, **options: Any) -> Any:
    esp_file([SEND]).write_parquet(folder / "esp.parquet")
    custom_file([PURCHASE]).write_parquet(folder / "custom.parquet")
    said: list[tuple[str, float]] = []
    summary = attribute_apart(
        f"{folder}/esp.parquet", f"{folder}/custom.parquet", folder / "out", Rule(),
        progress=lambda doing, share: said.append((doing, share)), **options,
    )  # fmt: skip
    return summary, said


def test_the_summary_and_the_progress_come_from_the_process_apart(tmp_path: Path) -> None:
    summary, said = run(tmp_path)
    assert (summary.engagement, summary.attributed) == (1, 1)
    assert said[-1] == ("writing the days", 0.9)


def test_a_process_that_dies_over_the_files_is_followed_by_one_that_reads_copies(tmp_path: Path) -> None:
    (tmp_path / "fatal").touch()
    summary, _ = run(tmp_path, limits=Fatal(tmp_path / "fatal", is_once=True))
    assert (summary.engagement, summary.attributed) == (1, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["custom.parquet", "esp.parquet", "out"]


def test_a_process_that_always_dies_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "fatal").touch()
    with pytest.raises(AttributionDiedError, match="ended by signal 6"):
        run(tmp_path, limits=Fatal(tmp_path / "fatal", is_once=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["custom.parquet", "esp.parquet", "fatal"]


def test_an_error_of_the_process_apart_is_the_callers_with_its_fix(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match="no Parquet file matches") as caught:
        attribute_apart("nothing*", "nothing*", tmp_path / "out", Rule(), progress=lambda *_: None)
    assert caught.value.mend == "give a file, a folder, or a quoted glob"
    assert time.monotonic() - began < 60
