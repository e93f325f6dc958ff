"""Uploads to the landing zone, each source's in a thread of its own, so that one that hangs holds up its source only.

A source (door and org) has one upload under way at a time. Who waits for uploads waits for those that get on; one that
hangs is left behind, and what became of it is asked for later. An upload cannot be cancelled, but ends by itself: the
client's requests have a limit. Repeating one is safe, because equal lines are the same object.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zstandard

from justai_assets.contract.errors import JustAIError, TransientStorageError
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.serving.journal.journal_folders import sync_folder
from justai_assets.serving.journal.record_format import place_of
from justai_assets.storage import Root

COMPRESSION_LEVEL: Final = 3
SUFFIX: Final = ".jsonl.zst"
UPLOADS: Final = 8
"""At a time: with hundreds of orgs a segment is hundreds of objects, and each waits for the network."""
MOST_UPLOADS: Final = 32
"""Those that hang included: each holds a thread and an object in memory."""
PATIENT_SECONDS: Final = 2.0
"""An upload that takes longer is waited for no more: it hangs, or the network is slow."""
RETRY_SECONDS: Final = 30
"""After so long the client begins no further try of a request; one try takes a minute at most (`Root.store`)."""

Tag = bytes


def source_of(tag: bytes) -> str:
    """`door/org` of a tag."""
    return tag.rpartition(b"/")[0].decode(errors="replace")


@dataclass(frozen=True)
class Refused:
    """A group that the landing zone did not take.

    Attributes:
        tag: the group.
        error: a stable code.
        what: the error in words; names the key, never what a sender wrote.
        transient: whether it may pass by itself.
    """

    tag: Tag
    error: str
    what: str
    transient: bool


@dataclass
class Outcome:
    """What became of groups.

    Attributes:
        written: tag → lines and compressed bytes of its object.
        refused: those tried in vain.
    """

    written: dict[Tag, tuple[int, int]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


class SourceUpload:
    """The groups of one source of one segment, written one after the other.

    Args:
        path: the segment.
        name: the segment's own name, which the objects' names are made of.
        content: the segment's bytes.
        groups: tag, and start and end of each of its lines in turn.
    """

    def __init__(self, path: Path, name: bytes, content: bytes, groups: Iterable[tuple[Tag, array[int]]]) -> None:
        self.path = path
        self._name = name
        self._content: bytes | None = content
        self._groups = deque(groups)
        self.source = source_of(self._groups[0][0])
        self.size = sum(len(spans) for _, spans in self._groups)
        self.outcome = Outcome()
        self.has_written = self.is_refused = self.is_done = False
        self.since: float | None = None

    def run(self, landing: Root, changed: threading.Condition) -> None:
        """Write until all is written, something that may pass refuses, or the upload is left behind."""
        while True:
            with changed:
                if self._content is None or not self._groups or self.is_refused:
                    self.is_done = True
                    changed.notify_all()
                    return
                content, (tag, spans) = self._content, self._groups.popleft()
            refused, size = None, 0
            try:
                key, packed = _object(self._name, tag, content, spans)
                del content  # an upload that hangs holds its object in memory, and not the segment
                self.since = time.monotonic()
                size = len(packed)
                write_durably(landing, key, packed)
            except JustAIError as error:
                refused = Refused(tag, error.code, str(error), transient=error.transient)
            except BaseException as error:
                # A mistake of ours, or a panic of the client, which is no Exception: it is told, and ends no thread.
                refused = Refused(tag, type(error).__name__, "", transient=False)
            with changed:
                self.since = None
                if refused is None:
                    self.outcome.written[tag] = len(spans) // 2, size
                    self.has_written = True
                else:
                    self.outcome.refused.append(refused)
                    # The next group of the source would only wait for the same answer.
                    self.is_refused = refused.transient
                changed.notify_all()

    def leave_behind(self) -> None:
        """End after the upload that is under way."""
        self._content = None
        self._groups.clear()

    def hangs_at(self, now: float, patience: float) -> bool:
        """Whether its present upload takes longer than that many seconds."""
        return not self.is_done and self.since is not None and now - self.since >= patience


class Uploads:
    """Every upload that is under way, also those that were left behind.

    Args:
        landing: the landing root.
        patience: seconds after which an upload is left behind; by default none is.
    """

    def __init__(self, landing: Root, patience: float = math.inf) -> None:
        self._landing = landing
        self._patience = patience
        self._changed = threading.Condition()
        self._behind: list[SourceUpload] = []

    @property
    def sources(self) -> frozenset[str]:
        """The sources whose uploads were left behind and are not asked for yet."""
        return frozenset(one.source for one in self._behind)

    @property
    def is_full(self) -> bool:
        """Whether so many hang that no more are begun."""
        return len(self._behind) >= MOST_UPLOADS

    def run(self, uploads: Iterable[SourceUpload]) -> Outcome:
        """Begin uploads, those with few lines first, and return when each has ended or hangs.

        Once UPLOADS sources got nowhere and nothing was written, the landing zone counts as away: no more are begun.
        """
        # An org with few events does not wait for the uploads of one with many.
        waiting = deque(sorted(uploads, key=lambda one: one.size))
        begun: list[SourceUpload] = []
        with self._changed:
            while True:
                now = time.monotonic()
                hanging = sum(one.hangs_at(now, self._patience) for one in begun)
                brisk = [one for one in begun if not one.is_done and not one.hangs_at(now, self._patience)]
                is_away = not any(one.has_written for one in begun) and (
                    hanging + sum(one.is_refused for one in begun) >= UPLOADS
                )
                room = min(UPLOADS - len(brisk), MOST_UPLOADS - len(self._behind) - hanging - len(brisk))
                while waiting and room > 0 and not is_away:
                    begun.append(waiting.popleft())
                    brisk.append(begun[-1])
                    room -= 1
                    arguments = self._landing, self._changed
                    # A daemon: the process must be able to end while an upload hangs.
                    threading.Thread(target=begun[-1].run, args=arguments, name="upload", daemon=True).start()
                if not brisk:
                    break
                first = min(now if one.since is None else one.since for one in brisk)
                self._changed.wait(None if math.isinf(self._patience) else max(0.01, first + self._patience - now))
            for one in begun:
                if not one.is_done:
                    one.leave_behind()
                    self._behind.append(one)
            return _taken(begun)

    def ended(self) -> list[tuple[Path, Outcome]]:
        """Of the uploads that were left behind those that ended since, each once: the segment and what became of it."""
        with self._changed:
            over = [one for one in self._behind if one.is_done]
            self._behind = [one for one in self._behind if not one.is_done]
            return [(one.path, _taken([one])) for one in over]


def _taken(uploads: Iterable[SourceUpload]) -> Outcome:
    """What became of uploads since it was last asked."""
    found = Outcome()
    for one in uploads:
        outcome, one.outcome = one.outcome, Outcome()
        found.written |= outcome.written
        found.refused += outcome.refused
    return found


def _object(name: bytes, tag: Tag, content: bytes, spans: array[int]) -> tuple[str, bytes]:
    digest = hashlib.sha256(name + b"\0" + tag + b"\0")
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compressobj()
    parts: list[bytes] = []
    for at in range(0, len(spans), 2):
        line = content[spans[at] : spans[at + 1]]
        digest.update(line)
        parts.append(compressor.compress(line))
    parts.append(compressor.flush())
    door, slug, day = place_of(tag)
    return f"{day_prefix(door, slug, day)}/{digest.hexdigest()[:32]}{SUFFIX}", b"".join(parts)


def write_durably(landing: Root, key: str, content: bytes) -> None:
    """Write an object so that it survives a power cut; S3 promises that by itself.

    Raises:
        TransientStorageError: a local landing root is not there. It is not made: where a disk is not mounted, the
            folder would take the events and hide them when the disk comes back.
    """
    if landing.is_local and not landing.local().is_dir():
        raise TransientStorageError(f"there is no folder {landing.local()}", mend="mount the disk it lies on")
    landing.write(key, content)
    if not landing.is_local:
        return
    path = landing.local(key)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for folder in path.parents:
        sync_folder(folder)
        if folder == landing.local():
            break
