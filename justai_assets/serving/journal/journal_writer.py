"""The journal of one worker: an event is on disk before its sender is told so.

Group commit: while one fsync runs, arriving records gather; the next fsync covers them all. A worker therefore makes
one system call for many requests under load, and answers a lone request after a single fsync.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from justai_assets.serving.collector_config import CollectorError
from justai_assets.serving.journal.journal_folders import ADOPTED, CLOSED, OPEN, create_worker_folder, sync_folder
from justai_assets.serving.journal.record_format import Payload, pack

FREE_SPACE_SECONDS = 1.0


class JournalUnavailableError(CollectorError):
    """The journal cannot take records now; what it acknowledged before is safe."""

    code = "journal_unavailable"
    transient = True


_Pending = tuple[Payload, "asyncio.Future[None]"]


class Journal:
    """Append-only segments in a folder of this worker's own.

    Use it from one event loop. `append` returns when the record is on disk, or raises.

    Args:
        journal: the collector's journal folder.
        segment_bytes: a segment is closed when it is this large …
        segment_seconds: … or this old.
        min_free_bytes: with less free disk than this, records are refused before anything is written.
        on_commit: called after each fsync with (records, bytes, seconds), from the committing thread.
        on_trouble: called with what went wrong and in which segment, from the committing thread.
    """

    def __init__(
        self,
        journal: Path,
        *,
        segment_bytes: int,
        segment_seconds: float,
        min_free_bytes: int,
        on_commit: Callable[[int, int, float], None] = lambda _records, _size, _seconds: None,
        on_trouble: Callable[[str, str], None] = lambda _what, _segment: None,
    ) -> None:
        self.folder, self._lock = create_worker_folder(journal)
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._min_free_bytes = min_free_bytes
        self._on_commit = on_commit
        self._on_trouble = on_trouble
        self._unnamed: list[Path] = []
        self._told: set[Path] = set()
        self._loop = asyncio.get_running_loop()
        self._pending: deque[_Pending] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._receipts = 0
        self._number = 0
        self._file: int | None = None
        self._size = 0
        self._records = 0
        self._opened = 0.0
        self._free_checked = 0.0
        self.failure: str | None = None
        self.full = False
        self._check_free_space(time.monotonic())
        self._thread = threading.Thread(target=self._commit_for_ever, name="journal", daemon=True)
        self._thread.start()

    def receipt(self) -> str:
        """A text that no other receipt has, in this worker or any other."""
        self._receipts += 1
        return f"{self.folder.name}/{self._receipts}"

    @property
    def ready(self) -> bool:
        """Whether a record would be taken, as far as is known."""
        return not self.full and self.failure is None and not self._stopping and self._thread.is_alive()

    async def append(self, tag: bytes, line: bytes) -> None:
        """Return when the record is on disk.

        Raises:
            JournalUnavailableError: it is not; nothing was acknowledged. It may still be landed, when the disk kept it
                in spite of the error.
        """
        if self.full:
            raise JournalUnavailableError("the disk under the journal is full")
        if self._stopping or not self._thread.is_alive():
            raise JournalUnavailableError("the journal is closed")
        done: asyncio.Future[None] = self._loop.create_future()
        self._pending.append((Payload.of(tag, line), done))
        # The thread clears the event before it drains: a record appended while it is still set is drained.
        if not self._wake.is_set():
            self._wake.set()
        await done

    async def close(self) -> None:
        """Commit what is pending, close the segment, and let the folder go."""
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        os.close(self._lock)

    # What follows runs in the committing thread.

    def _commit_for_ever(self) -> None:
        try:
            self._run()
        finally:
            # After a mistake of ours nobody may wait for an answer that does not come.
            self._stopping = True
            self._settle([self._pending.popleft() for _ in range(len(self._pending))], "the journal ended")

    def _run(self) -> None:
        while True:
            self._wake.wait(timeout=min(self._segment_seconds, FREE_SPACE_SECONDS) / 2)
            self._wake.clear()
            stopping = self._stopping
            batch = [self._pending.popleft() for _ in range(len(self._pending))]
            now = time.monotonic()
            if batch:
                verdict: str | None = "the journal ended"
                try:
                    verdict = self._commit(batch)
                finally:
                    self._settle(batch, verdict)
            elif self.failure is not None:
                # Nobody may send while we say that we are not ready: try by ourselves whether the disk is back.
                self._commit([])
            self._check_free_space(now)
            if self._unnamed:
                self._name_closed_segments()
            due = stopping or self._size >= self._segment_bytes or now - self._opened >= self._segment_seconds
            if self._file is not None and due:
                self._close_segment()
            if stopping and not self._pending:
                return

    def _commit(self, batch: list[_Pending]) -> str | None:
        begun = time.perf_counter()
        try:
            if self._file is None:
                self._open_segment()
            assert self._file is not None
            # Numbered here, in the order in which they are written: the head has number 0.
            content = b"".join([one.record(self._records + at + 1) for at, (one, _) in enumerate(batch)])
            _write_all(self._file, content)
            os.fdatasync(self._file)
        except OSError as error:
            self.failure = type(error).__name__ if error.errno is None else os.strerror(error.errno)
            # After a failed fsync the kernel may have dropped the pages and calls the next one good: this segment
            # takes no further record. What was acknowledged before is on disk.
            self._abandon_segment()
            return self.failure
        self.failure = None
        self._size += len(content)
        self._records += len(batch)
        if batch:
            self._on_commit(len(batch), len(content), time.perf_counter() - begun)
        return None

    def _settle(self, batch: list[_Pending], failure: str | None) -> None:
        def finish() -> None:
            for _, done in batch:
                if done.done():  # its request was cancelled
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(JournalUnavailableError(f"the journal cannot be written: {failure}"))

        self._loop.call_soon_threadsafe(finish)

    def _open_segment(self) -> None:
        self._number += 1
        path = self._path(OPEN)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = self._records = 0
        self._opened = time.monotonic()
        head = pack(f"segment/{self.folder.name}/{self._number:08d}".encode(), b"", 0)
        _write_all(self._file, head)
        self._size = len(head)
        sync_folder(self.folder)

    def _close_segment(self) -> None:
        """Close the segment for good; its last record says that nothing is missing behind it."""
        assert self._file is not None
        try:
            if self._records:
                _write_all(self._file, pack(b"end", b"", self._records + 1))
                os.fsync(self._file)
        except OSError as error:
            self.failure = os.strerror(error.errno or 0)
            self._abandon_segment()
            return
        self._leave_segment()

    def _abandon_segment(self) -> None:
        """Leave a segment that failed: cut what was not acknowledged, as far as the disk lets us."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            # The reader tells records from garbage; an unacknowledged record that survives is an event that
            # the sender repeats.
            self.failure = self.failure or "cannot truncate"
        # It has no end record, and says so by its name.
        self._leave_segment(ADOPTED)

    def _leave_segment(self, suffix: str = CLOSED) -> None:
        assert self._file is not None
        descriptor, self._file = self._file, None
        path = self._path(OPEN)
        try:
            os.close(descriptor)
        except OSError as error:
            self._on_trouble(f"closing failed: {os.strerror(error.errno or 0)}", path.name)
        if self._records:
            self._unnamed.append(path.with_suffix(suffix))
            self._name_closed_segments()
            return
        try:
            path.unlink()
        except OSError as error:
            # Nothing was acknowledged in it; it is adopted, and found empty, when this worker ends.
            self._on_trouble(f"removing failed: {os.strerror(error.errno or 0)}", path.name)

    def _name_closed_segments(self) -> None:
        """Give closed segments the name under which they are sealed; a rename that fails is tried again."""
        left = []
        for path in self._unnamed:
            try:
                path.with_suffix(OPEN).rename(path)
            except OSError as error:
                left.append(path)
                if path not in self._told:
                    self._told.add(path)
                    self._on_trouble(f"renaming failed, tried again: {os.strerror(error.errno or 0)}", path.name)
        self._unnamed = left
        with suppress(OSError):
            # A name that a power cut takes back leaves the segment under its old one, and that is adopted.
            sync_folder(self.folder)

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self._number:08d}{suffix}"

    def _check_free_space(self, now: float) -> None:
        if now - self._free_checked < FREE_SPACE_SECONDS and self._free_checked:
            return
        self._free_checked = now
        try:
            disk = os.statvfs(self.folder)
        except OSError as error:
            self.failure = os.strerror(error.errno or 0)
            return
        self.full = disk.f_bavail * disk.f_frsize < self._min_free_bytes


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
