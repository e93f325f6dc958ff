import os
from pathlib import Path

import pytest

from justai_assets.serving.collector_config import CollectorError
from justai_assets.serving.journal.journal_folders import (
    adopt,
    closed_segments,
    create_worker_folder,
    lock_journal,
    waiting_segments,
    worker_folders,
)


def test_a_journal_belongs_to_one_collector(tmp_path: Path) -> None:
    lock = lock_journal(tmp_path)
    with pytest.raises(CollectorError, match="another collector"):
        lock_journal(tmp_path)
    os.close(lock)
    os.close(lock_journal(tmp_path))


@pytest.mark.parametrize("name", ["lock", "sealer.lock", "sealer.work", "workers"])
def test_a_journal_with_something_else_in_a_files_place_refuses_the_start(tmp_path: Path, name: str) -> None:
    if name == "workers":
        (tmp_path / name).touch()
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(CollectorError, match="cannot be used"):
        lock_journal(tmp_path)


def test_a_journal_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CollectorError, match="cannot be used"):
        lock_journal(tmp_path / "file" / "journal")


def test_a_living_worker_keeps_its_folder_and_a_dead_ones_is_taken_over(tmp_path: Path) -> None:
    folder, lock = create_worker_folder(tmp_path)
    (folder / "00000001.open").write_bytes(b"x")
    assert not adopt(folder)
    assert closed_segments(folder) == []
    os.close(lock)
    assert adopt(folder)
    assert [path.name for path in closed_segments(folder)] == ["00000001.adopted"]
    assert waiting_segments(tmp_path)[0] == 1


def test_a_dead_workers_folder_goes_once_it_is_empty(tmp_path: Path) -> None:
    folder, lock = create_worker_folder(tmp_path)
    os.close(lock)
    assert adopt(folder)
    assert list(worker_folders(tmp_path)) == []


def test_a_folder_that_was_being_made_is_never_mistaken_and_is_cleared_away(tmp_path: Path) -> None:
    making = tmp_path / "workers" / ".00000000000000000001-1"
    making.mkdir(parents=True)
    (making / "lock").touch()
    assert list(worker_folders(tmp_path)) == []
    os.close(lock_journal(tmp_path))
    assert not making.exists()


def test_what_else_lies_among_the_workers_does_not_refuse_the_start(tmp_path: Path) -> None:
    workers = tmp_path / "workers"
    workers.mkdir()
    (workers / ".DS_Store").write_bytes(b"x")
    (workers / ".half-made").mkdir()
    (workers / ".kept").mkdir()
    (workers / ".kept" / "note").touch()
    (workers / "README").touch()
    os.close(lock_journal(tmp_path))
    assert sorted(path.name for path in workers.iterdir()) == [".DS_Store", ".kept", "README"]
    assert list(worker_folders(tmp_path)) == []
