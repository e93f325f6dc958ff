"""Folders for raw copies: readable by their owner only, and gone with the process that made them, however it ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from justai_assets import scratch
from justai_assets.contract.errors import StorageError
from justai_assets.scratch import scratch_folder, scratch_root

HOLD = (
    "import sys, time, tempfile; tempfile.tempdir = sys.argv[1]\n"
    "from justai_assets.scratch import scratch_folder\n"
    "with scratch_folder('landing') as folder:\n"
    "    (folder / 'raw.jsonl').write_text('jane@example.com'); print(folder, flush=True); time.sleep(60)\n"
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def held(temporary: Path) -> tuple[subprocess.Popen[bytes], Path]:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(temporary)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().decode().strip())


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_a_folder_is_its_owners_alone_and_is_removed(temporary: Path) -> None:
    with scratch_folder("landing") as folder:
        assert folder.is_relative_to(temporary)
        for path in (folder, scratch_root(), scratch_root().parent):
            assert path.stat().st_mode & 0o777 == 0o700
    assert list(scratch_root().iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_is_not(temporary: Path) -> None:
    dead, left = held(temporary)
    alive, used = held(temporary)
    try:
        end(dead)
        assert (left / "raw.jsonl").exists()
        with scratch_folder("intake") as mine:
            assert sorted(path for path in scratch_root().iterdir() if path.is_dir()) == sorted([mine, used])
        assert (used / "raw.jsonl").exists()
    finally:
        end(alive)
    scratch._swept.clear()
    with scratch_folder("intake"):
        pass
    assert list(scratch_root().iterdir()) == []


def test_a_folder_that_others_can_read_is_closed(temporary: Path) -> None:
    scratch_root().mkdir(parents=True)
    scratch_root().parent.chmod(0o755)
    with scratch_folder("intake"):
        assert scratch_root().parent.stat().st_mode & 0o777 == 0o700


def test_somebody_elses_folder_is_not_used(temporary: Path) -> None:
    other = temporary / "other"
    other.mkdir()
    scratch_root().parent.symlink_to(other)
    with pytest.raises(StorageError, match="belongs to somebody else"), scratch_folder("intake"):
        pass
    assert list(other.iterdir()) == []
