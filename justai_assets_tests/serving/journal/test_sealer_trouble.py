"""Damaged segments, foreign files and deaths: what the sealer sets aside, and that nothing else waits for it."""

import errno
import os
import socket
from pathlib import Path

import pytest

from justai_assets.serving.journal.backoff import REFUSED_SECONDS
from justai_assets.serving.journal.journal_folders import waiting_segments, worker_folders
from justai_assets.serving.journal.record_format import MAGIC
from justai_assets.serving.journal.sealer_deaths import count_death, forget_work, note_work
from justai_assets_tests.serving.sealers import Clock, sealer
from justai_assets_tests.serving.segments import RECORDS, written
from justai_assets_tests.serving.service import landed


def test_a_damaged_segment_is_kept_aside_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    damaged = written(tmp_path / "journal", RECORDS)
    content = bytearray(damaged.read_bytes())
    content[content.find(b'"id":"c"') + 6] ^= 1
    damaged.write_bytes(content)
    written(tmp_path / "journal", RECORDS)
    found, counted, log = sealer(tmp_path)
    assert found.run_once() == (2, 0)
    assert len(landed(tmp_path / "landing")) == 11
    (aside,) = (tmp_path / "journal" / "damaged").iterdir()
    assert aside.read_bytes() == bytes(content)
    assert counted["damaged_bytes"] > 0
    assert "segment_damaged" in log.events


def test_a_segment_with_a_tag_from_the_future_waits_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    written(tmp_path / "journal", [(b"new_door/acme/2026-01-05/x", b"{}\n")])
    written(tmp_path / "journal", RECORDS)
    found, _, _ = sealer(tmp_path)
    assert found.run_once() == (1, 1)
    assert len(landed(tmp_path / "landing")) == 6


def test_a_foreign_file_in_a_dead_workers_folder_stops_nobody(tmp_path: Path) -> None:
    poisoned = written(tmp_path / "journal", RECORDS).parent
    (poisoned / "core.1234").write_bytes(b"not ours")
    written(tmp_path / "journal", RECORDS)
    found, counted, _ = sealer(tmp_path)
    for _ in range(3):
        found.run_once()
    assert len(landed(tmp_path / "landing")) == 12
    assert [path.name for path in poisoned.iterdir() if path.name != "lock"] == ["core.1234"]
    assert list(worker_folders(tmp_path / "journal")) == [poisoned]
    assert counted["landing_failures"] == 0


def test_a_folder_and_a_segment_that_make_trouble_hold_up_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "journal" / "workers" / "00000000000000000000-1"
    written(tmp_path / "journal", RECORDS)
    folder.mkdir()
    (folder / "lock").mkdir()
    other = written(tmp_path / "journal", RECORDS).parent
    (other / "00000000.closed").mkdir()
    (other / "00000000.closed" / "x").touch()
    found, counted, log = sealer(tmp_path)
    found.run_once()
    assert len(landed(tmp_path / "landing")) == 12
    assert counted["landing_failures"] >= 1
    assert "folder_not_sealed" in log.events
    found.run_once()
    assert log.events.count("folder_not_sealed") == 1, "told once, counted each time"


def test_a_segment_at_which_two_sealers_died_is_set_aside_whole(tmp_path: Path) -> None:
    deadly = written(tmp_path / "journal", RECORDS)
    content = deadly.read_bytes()
    name = f"{deadly.parent.name}/{deadly.stem}"
    for _ in range(2):
        note_work(tmp_path / "journal", name)
        count_death(tmp_path / "journal")
    written(tmp_path / "journal", RECORDS)
    found, counted, log = sealer(tmp_path)
    found.run_once()
    assert len(landed(tmp_path / "landing")) == 6
    (aside,) = (tmp_path / "journal" / "damaged").iterdir()
    assert aside.read_bytes() == content
    assert counted["damaged_segments"] == 1
    assert "segment_set_aside" in log.events


def test_one_death_and_the_deaths_of_another_segment_set_nothing_aside(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    note_work(tmp_path / "journal", f"{segment.parent.name}/{segment.stem}")
    count_death(tmp_path / "journal")
    found, _, _ = sealer(tmp_path)
    assert found.run_once() == (1, 0)
    assert not (tmp_path / "journal" / "sealer.work").exists()
    count_death(tmp_path / "journal")  # at no segment


def test_a_segment_refused_for_good_in_front_of_a_deadly_one_forgets_no_death(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    written(journal, [(b"new_door/acme/2026-01-05/x", b"{}\n")])
    deadly = written(journal, RECORDS)
    name = f"{deadly.parent.name}/{deadly.stem}"
    written(journal, RECORDS)
    for _ in range(2):
        # Each sealer meets the refused segment first, and dies at the next.
        note_work(journal, "first/00000001")
        forget_work(journal, "first/00000001")
        note_work(journal, name)
        count_death(journal)
    found, _, log = sealer(tmp_path)
    found.run_once()
    assert "segment_set_aside" in log.events
    assert len(landed(tmp_path / "landing")) == 6


def irregular(path: Path, kind: str) -> None:
    """Something that is no regular file."""
    if kind == "folder":
        path.mkdir()
        (path / "x").touch()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            descriptor = os.open(path.parent, os.O_RDONLY)
            one.bind(f"/proc/self/fd/{descriptor}/{path.name}")
            os.close(descriptor)


KINDS = ["folder", "pipe", "link", "dangling link", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_holds_up_nothing_whatever_its_name(tmp_path: Path, kind: str) -> None:
    journal = tmp_path / "journal"
    (journal / "workers").mkdir(parents=True)
    irregular(journal / "workers" / "00000000000000000000-1", kind)
    segment = written(journal, RECORDS)
    torn = written(journal, RECORDS)
    torn.rename(torn.with_suffix(".open"))
    irregular(journal / "sealer.work", kind)
    for folder in (segment.parent, torn.parent):
        irregular(folder / "00000000.open", kind)
        irregular(folder / "00000000.closed", kind)
        irregular(folder / "00000000.adopted", kind)
        irregular(folder / f"{segment.stem}.0000.rest", kind)
    found, counted, log = sealer(tmp_path)
    assert found.run_once() == (2, 0)
    assert len(landed(tmp_path / "landing")) == 12
    assert found.run_once() == (0, 0), "no foreign item is taken for what waits"
    assert waiting_segments(journal) == (0, None)
    assert "folder_not_sealed" not in log.events and not counted["landing_failures"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_a_lock_should_be_something_else_the_closed_segments_land(tmp_path: Path, kind: str) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    (segment.parent / "lock").unlink()
    irregular(segment.parent / "lock", kind)
    found, _, log = sealer(tmp_path)
    found.run_once()
    assert len(landed(tmp_path / "landing")) == 6
    assert "folder_not_sealed" in log.events


def test_an_open_segment_that_cannot_be_taken_over_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    (segment.parent / "00000000.open").write_bytes(b"")
    torn = segment.with_name("00000009.open")
    torn.write_bytes(segment.read_bytes())
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "00000000.open":
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    found, _, log = sealer(tmp_path)
    assert found.run_once() == (2, 1)
    assert "folder_not_sealed" in log.events
    assert (segment.parent / "00000000.open").exists()
    monkeypatch.undo()
    found.run_once()
    assert not segment.parent.exists()


def test_a_segment_of_a_later_version_waits_untouched(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    content = segment.read_bytes().replace(MAGIC, b"\xabJ3\n")
    segment.write_bytes(content)
    written(tmp_path / "journal", RECORDS)
    found, counted, log = sealer(tmp_path)
    assert found.run_once() == (1, 1)
    assert segment.read_bytes() == content
    assert "NewerSegmentError" in [one.get("error") for one in log.facts]
    assert not counted["damaged_segments"]


def test_the_landed_lines_of_a_segment_that_cannot_be_kept_aside_are_not_written_again(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    segment.write_bytes(segment.read_bytes()[:-5])
    (tmp_path / "journal" / "damaged" / f"{segment.parent.name}-{segment.name}").mkdir(parents=True)
    clock = Clock()
    found, counted, _ = sealer(tmp_path, clock)
    for _ in range(3):
        found.run_once()
        clock.now += 4 * REFUSED_SECONDS
    assert counted["landed_lines"] == 6
    assert segment.exists(), "nothing that is not whole is thrown away"


def test_a_torn_segment_of_a_dead_worker_is_kept_and_counted(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    torn = segment.with_suffix(".open")
    torn.write_bytes(segment.read_bytes()[:-30])
    segment.unlink()
    found, counted, log = sealer(tmp_path)
    found.run_once()
    assert (counted["damaged_segments"], counted["torn_bytes"] > 0) == (1, True)
    assert "unfinished_write" in log.events
    assert len(list((tmp_path / "journal" / "damaged").iterdir())) == 1
