"""The process that brings journal segments into the landing zone, and that takes over what dead workers left.

It is apart from the doors so that a landing zone that is slow or away costs them nothing. What it does is safe to
repeat: killed at any point, the next one starts over and writes the same objects.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from justai_assets.serving.counters import SUFFIX, PatientCounters
from justai_assets.serving.journal.backoff import Backoff
from justai_assets.serving.journal.journal_folders import (
    REST,
    adopt,
    closed_segments,
    regular_files,
    sync_folder,
    try_lock,
    worker_folders,
)
from justai_assets.serving.journal.sealer_deaths import DEATHS, deaths_at, forget_work, note_work
from justai_assets.serving.journal.segment_landing import Sealed, seal_segment, shorten
from justai_assets.serving.journal.uploads import PATIENT_SECONDS, RETRY_SECONDS, Refused, Tag, Uploads, source_of
from justai_assets.serving.service_logs import logger, queue_everything, writer
from justai_assets.storage import Root

IDLE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 4.0
LOCK = "sealer.lock"


class Sealer:
    """Seals every closed segment of a journal.

    Args:
        journal: the collector's journal folder.
        landing: the landing root; its requests should end by themselves before long.
        count: adds to a counter.
        log: a structured logger.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        journal: Path,
        landing: Root,
        count: Callable[[str, int], None],
        log: Any,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._uploads = Uploads(landing, PATIENT_SECONDS)
        self._count = count
        self._log = log
        self._backoff = Backoff(monotonic)
        self._left: dict[Path, frozenset[Tag]] = {}
        self._too_long: set[Path] = set()
        self._told: set[tuple[str, str]] = set()

    @property
    def is_uploading(self) -> bool:
        """Whether uploads that were left behind are under way."""
        return bool(self._uploads.sources)

    def run_once(self) -> tuple[int, int]:
        """One pass over all workers' folders: how many segments were landed, whole or in part, and how many wait.

        A group (source, org and day) that is refused is left alone for a while, and so is a source whose upload is
        under way; the others land meanwhile. The pass ends early only when nothing that it tried could be written, for
        reasons that may pass: the landing zone is away. A folder or a segment that makes trouble is logged and counted,
        and the pass goes on with the next one.
        """
        landed, waiting = self._take_ended(), 0
        away = False
        try:
            folders = list(worker_folders(self._journal))
        except OSError as error:
            self._trouble("folder_not_sealed", "workers", error)
            return landed, 1
        for folder in folders:
            waiting += not self._adopt(folder)
            try:
                segments = closed_segments(folder) if folder.is_dir() else []
            except OSError as error:
                self._trouble("folder_not_sealed", folder.name, error)
                waiting += 1
                continue
            for path in segments:
                if away:
                    waiting += 1
                    continue
                progress, done, away = self._seal(path)
                landed += progress
                waiting += not done
                away = away and not landed
            if segments and folder.is_dir():
                self._adopt(folder)  # goes away once its last segment is landed
        return landed, waiting

    def _adopt(self, folder: Path) -> bool:
        """Take over a dead worker's segments; False when some could not be. Closed ones are landed in any case."""
        try:
            adopt(folder)
        except OSError as error:
            self._trouble("folder_not_sealed", folder.name, error)
            return False
        return True

    def _take_ended(self) -> int:
        """Take note of uploads that were left behind and ended since; how many wrote something."""
        ended = self._uploads.ended()
        for path, outcome in ended:
            sealed = Sealed.of(outcome, self._left.get(path, frozenset()))
            self._left[path] = sealed.left
            self._too_long.add(path)
            self._take_note(f"{path.parent.name}/{path.stem}", sealed)
        return sum(bool(outcome.written) for _, outcome in ended)

    def _seal(self, path: Path) -> tuple[bool, bool, bool]:
        """Whether something of the segment was landed, whether all of it is, and whether the landing zone is away."""
        name = f"{path.parent.name}/{path.stem}"
        avoid = self._backoff.avoided() | self._uploads.sources
        left = self._left.get(path)
        if name in avoid or (
            left and path not in self._too_long and all(tag in avoid or source_of(tag) in avoid for tag in left)
        ):
            return False, False, False
        if self._uploads.is_full:
            return False, False, True
        try:
            if deaths_at(self._journal, name) >= DEATHS:
                self._set_aside(path, name)
                return True, True, False
            note_work(self._journal, name)
            try:
                sealed = seal_segment(path, self._uploads, avoid=avoid, only=left)
                self._take_note(name, sealed)
                self._leave(path, sealed)
            finally:
                forget_work(self._journal, name)
        except Exception as error:
            # The segment stays and is tried again; one that cannot be read, or at which we make a mistake, must not
            # keep the others from landing.
            self._trouble("segment_not_landed", name, error)
            self._backoff.add(name)
            return False, False, False
        hopeless = bool(sealed.refused) and all(one.transient for one in sealed.refused)
        away = not sealed.objects and (hopeless or self._uploads.is_full)
        return not sealed.left or bool(sealed.objects), not sealed.left, away

    def _trouble(self, event: str, name: str, error: Exception) -> None:
        self._count("landing_failures", 1)
        # Met again at every pass: told once, counted each time.
        if (name, type(error).__name__) not in self._told:
            self._told.add((name, type(error).__name__))
            self._log.error(event, segment=name, error=type(error).__name__)

    def _take_note(self, name: str, sealed: Sealed) -> None:
        """Count and log what was landed and what was refused."""
        self._backoff.take_note(sealed)
        for one in _one_a_source(sealed.refused):
            door, _, org = source_of(one.tag).partition("/")
            facts = {"segment": name, "org": org, "door": door, "error": one.error, "what": one.what}
            self._log.error("segment_not_landed", **facts)
        if sealed.refused:
            self._count("landing_failures", 1)
        for what in ("objects", "lines", "bytes"):
            self._count(f"landed_{what}", getattr(sealed, what))
        if sealed.objects or not sealed.left:
            facts = {what: getattr(sealed, what) for what in ("objects", "lines", "bytes")}
            self._log.info("segment_landed", segment=name, **facts, left=len(sealed.left))

    def _leave(self, path: Path, sealed: Sealed) -> None:
        """Delete a landed segment, or keep of it what is not landed; one that is not whole is kept aside as it was."""
        # From here on only these are tried, also when the disk has no room for the shorter segment.
        self._left[path] = sealed.left
        if sealed.objects:
            self._too_long.add(path)
        if not sealed.left:
            self._keep_aside(path, sealed)
            for rest in regular_files(path.parent, REST):
                if rest.name.startswith(f"{path.stem}."):
                    rest.unlink(missing_ok=True)
            path.unlink()
            del self._left[path]
            self._too_long.discard(path)
            sync_folder(path.parent)
        elif path in self._too_long:
            self._keep_aside(path, sealed)
            shorten(path, sealed.left)
            self._too_long.discard(path)

    def _keep_aside(self, path: Path, sealed: Sealed) -> None:
        """Keep a segment that is not whole, under its name, and say what is missing."""
        if sealed.is_whole:
            return
        name = f"{path.parent.name}-{path.stem}"
        kept = self._journal / "damaged" / f"{name}{path.suffix}"
        if kept.is_file() and not kept.is_symlink():
            return
        kept.parent.mkdir(exist_ok=True)
        kept.hardlink_to(path)
        sync_folder(kept.parent)
        facts = {
            "torn_bytes": sealed.torn_bytes,
            "damaged_bytes": sealed.damaged_bytes,
            "lost_records": sealed.lost_records,
        }
        for what, amount in facts.items():
            self._count(what, amount)
        self._count("damaged_segments", 1)
        if sealed.damaged_bytes or sealed.lost_records or sealed.is_cut:
            self._log.error("segment_damaged", segment=name, **facts, is_cut=sealed.is_cut)
        else:
            self._log.warning("unfinished_write", segment=name, **facts)

    def _set_aside(self, path: Path, name: str) -> None:
        """Move a segment at which sealers died out of the way, with all that is in it."""
        kept = self._journal / "damaged" / f"{path.parent.name}-{path.stem}.fatal"
        kept.parent.mkdir(exist_ok=True)
        path.rename(kept)
        sync_folder(kept.parent)
        sync_folder(path.parent)
        forget_work(self._journal, name)
        self._count("damaged_segments", 1)
        self._log.error("segment_set_aside", segment=name, deaths=DEATHS)


def _one_a_source(refused: Iterable[Refused]) -> list[Refused]:
    """Of the refusals of each source the first: a line a day would flood the log."""
    return list({one.tag.rpartition(b"/")[0]: one for one in reversed(list(refused))}.values())[::-1]


def run_sealer(journal: Path, landing: str, drain_seconds: float, doors: Connection) -> None:
    """Seal until the doors are closed, then drain.

    Args:
        journal: the collector's journal folder.
        landing: URL or path of the landing root.
        drain_seconds: how long to go on after the end when the landing zone refuses; what is left stays in the
            journal for the next start.
        doors: the reading end of a pipe that nobody writes to. The service and its workers hold the other end, so it
            ends when the last of them does, however that happens.
    """
    # Whoever stops the service may signal all its processes; this one is the last to leave.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    queue_everything()
    # Landing objects hold what the segments held: nobody else may read them.
    os.umask(0o077)
    log = logger()
    # One sealer at a time: one that was left behind by a killed service may still be at work.
    lock = None
    while lock is None and not doors.poll(IDLE_SECONDS):
        lock = try_lock(journal / LOCK)
    if lock is None and (lock := try_lock(journal / LOCK)) is None:
        log.warning("sealer_stopped", undelivered=-1, reason="another sealer is at work in this journal")
        return
    counters = PatientCounters(journal / "counters" / f"sealer-{os.getpid()}{SUFFIX}")
    sealer = Sealer(journal, replace(Root.parse(landing), retry_seconds=RETRY_SECONDS), counters.add, log)
    wait = 0.0
    while not doors.poll(wait):
        landed, waiting = sealer.run_once()
        counters.add("sealer_passes", 1)
        writer().report_dropped(counters.add)
        wait = min(max(wait, IDLE_SECONDS) * 2, MAX_BACKOFF_SECONDS) if waiting and not landed else IDLE_SECONDS
    deadline = time.monotonic() + drain_seconds
    while True:
        _, waiting = sealer.run_once()
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(IDLE_SECONDS)
    log.info("sealer_stopped", undelivered=waiting)
    os.close(lock)
    writer().flush()
    if sealer.is_uploading:
        # A thread in the landing zone's client cannot be ended, and must not be met by the interpreter's end.
        os._exit(0)
