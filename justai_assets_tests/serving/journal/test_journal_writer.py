import asyncio
import os
import time
from pathlib import Path

import pytest

from justai_assets.serving.journal.journal_folders import CLOSED, OPEN, lock_journal
from justai_assets.serving.journal.journal_writer import Journal, JournalUnavailableError
from justai_assets.serving.journal.record_format import Damage, Record, SegmentFile, scan

TAG = b"journey_webhooks/acme/2026-01-05"


def journal(folder: Path, **changes: object) -> Journal:
    known: dict[str, object] = {"segment_bytes": 1 << 20, "segment_seconds": 60.0, "min_free_bytes": 0}
    return Journal(folder, **{**known, **changes})


def lines(folder: Path) -> list[bytes]:
    found = []
    for path in sorted(folder.glob("0*")):
        segment = SegmentFile.read(path)
        if segment.content:
            for one in scan(segment.content):
                assert isinstance(one, Record)
                found += [segment.content[one.start : one.end]] if one.tag == TAG else []
    return found


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path)
        await found.append(TAG, b"one\n")
        assert lines(found.folder) == [b"one\n"]
        await found.append(TAG, b"two\n")
        assert lines(found.folder) == [b"one\n", b"two\n"]
        await found.close()

    asyncio.run(scenario())


def test_many_requests_share_one_fsync(tmp_path: Path) -> None:
    commits: list[int] = []

    async def scenario() -> None:
        found = journal(tmp_path, on_commit=lambda records, size, seconds: commits.append(records))
        await asyncio.gather(*[found.append(TAG, b"%d\n" % number) for number in range(2000)])
        assert sorted(lines(found.folder)) == sorted(b"%d\n" % number for number in range(2000))
        await found.close()

    asyncio.run(scenario())
    assert sum(commits) == 2000
    assert len(commits) < 200


def test_a_lone_record_does_not_wait_for_company(tmp_path: Path) -> None:
    async def scenario() -> float:
        found = journal(tmp_path)
        await found.append(TAG, b"first\n")
        begun = time.perf_counter()
        for _ in range(20):
            await found.append(TAG, b"next\n")
        took = time.perf_counter() - begun
        await found.close()
        return took

    # The idle thread would wake by itself only every half second.
    assert asyncio.run(scenario()) < 5


def test_a_segment_is_closed_by_size_and_by_age(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path, segment_bytes=500, segment_seconds=0.2)
        await found.append(TAG, b"x" * 600)
        await found.append(TAG, b"small")
        assert min(found.folder.glob("0*")).suffix == CLOSED
        deadline = time.monotonic() + 10
        while list(found.folder.glob(f"*{OPEN}")) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert len(list(found.folder.glob(f"*{CLOSED}"))) == 2
        await found.close()
        assert lines(found.folder) == [b"x" * 600, b"small"]

    asyncio.run(scenario())


def test_closing_commits_what_is_pending_and_refuses_what_comes_after(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path)
        waiting = [asyncio.create_task(found.append(TAG, b"%d" % number)) for number in range(50)]
        await asyncio.sleep(0)
        await found.close()
        await asyncio.gather(*waiting)
        assert len(lines(found.folder)) == 50
        assert not list(found.folder.glob(f"*{OPEN}"))
        with pytest.raises(JournalUnavailableError):
            await found.append(TAG, b"late")

    asyncio.run(scenario())


def test_an_unused_journal_leaves_no_segment(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path)
        await found.close()
        assert list(found.folder.glob("0*")) == []

    asyncio.run(scenario())


def test_receipts_never_repeat_over_workers(tmp_path: Path) -> None:
    async def scenario() -> None:
        one, two = journal(tmp_path), journal(tmp_path)
        receipts = [each.receipt() for each in (one, two) for _ in range(100)]
        assert len(set(receipts)) == 200
        await one.close()
        await two.close()

    asyncio.run(scenario())


def test_with_too_little_free_disk_nothing_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path, min_free_bytes=1 << 60)
        assert not found.ready
        with pytest.raises(JournalUnavailableError):
            await found.append(TAG, b"x")
        await found.close()

    asyncio.run(scenario())


def test_a_write_that_fails_is_an_error_and_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path)
        await found.append(TAG, b"before")
        assert found._file is not None
        # A descriptor that cannot be written stands for a disk that fails: the system call really fails.
        broken = os.open(os.devnull, os.O_RDONLY)
        os.dup2(broken, found._file)
        os.close(broken)
        with pytest.raises(JournalUnavailableError):
            await found.append(TAG, b"lost")
        assert not found.ready or found.failure is None
        await found.append(TAG, b"after")
        assert found.ready
        await found.close()
        assert lines(found.folder) == [b"before", b"after"]

    asyncio.run(scenario())


def test_a_journal_that_failed_finds_out_by_itself_that_the_disk_is_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = journal(tmp_path)
        away = tmp_path / "away"
        found.folder.rename(away)
        with pytest.raises(JournalUnavailableError):
            await found.append(TAG, b"x")
        assert not found.ready
        away.rename(found.folder)
        deadline = time.monotonic() + 10
        while not found.ready and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert found.ready
        await found.append(TAG, b"after")
        await found.close()
        assert lines(found.folder) == [b"after"]

    asyncio.run(scenario())


def test_two_workers_write_to_folders_of_their_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        lock = lock_journal(tmp_path)
        one, two = journal(tmp_path), journal(tmp_path)
        await asyncio.gather(one.append(TAG, b"1"), two.append(TAG, b"2"))
        assert one.folder != two.folder
        assert (lines(one.folder), lines(two.folder)) == ([b"1"], [b"2"])
        await one.close()
        await two.close()
        os.close(lock)

    asyncio.run(scenario())


def test_every_byte_of_a_closed_segment_is_a_record(tmp_path: Path) -> None:
    async def scenario() -> Path:
        found = journal(tmp_path)
        await asyncio.gather(*[found.append(TAG, b"%d" % number) for number in range(10)])
        await found.close()
        return found.folder

    (path,) = asyncio.run(scenario()).glob(f"*{CLOSED}")
    found = list(scan(path.read_bytes()))
    assert not any(isinstance(one, Damage) for one in found)
    assert found[0].tag.startswith(b"segment/")
    assert found[-1].tag == b"end"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_leaves_nobody_waiting(tmp_path: Path) -> None:
    def mistaken(*_: object) -> None:
        raise ValueError("a mistake")

    async def scenario() -> None:
        found = journal(tmp_path, on_commit=mistaken)
        waiting = [asyncio.create_task(found.append(TAG, b"x")) for _ in range(3)]
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert all(isinstance(one, JournalUnavailableError) for one in outcomes)
        await asyncio.to_thread(found._thread.join, 5)
        assert not found.ready
        with pytest.raises(JournalUnavailableError):
            await found.append(TAG, b"x")
        await found.close()

    asyncio.run(scenario())


def test_a_rename_that_fails_is_told_and_tried_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    rename = Path.rename
    failing = [True]

    def refuse(path: Path, target: Path) -> Path:
        if failing[0] and path.suffix == OPEN:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    async def scenario() -> None:
        found = journal(tmp_path, segment_seconds=0.1, on_trouble=lambda what, segment: told.append((what, segment)))
        monkeypatch.setattr(Path, "rename", refuse)
        await found.append(TAG, b"first")
        await asyncio.sleep(0.4)
        assert [path.suffix for path in found.folder.glob("0*")] == [OPEN]
        assert found.ready, "a name is no reason to refuse events"
        await found.append(TAG, b"second")
        failing[0] = False
        await asyncio.sleep(0.4)
        assert {path.suffix for path in found.folder.glob("0*")} == {CLOSED}
        await found.close()
        assert lines(found.folder) == [b"first", b"second"]

    asyncio.run(scenario())
    assert len(told) == len({segment for _, segment in told})
    assert all("renaming failed" in what for what, _ in told)
