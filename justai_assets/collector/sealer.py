"""The process that brings journal segments into the landing zone, and that takes over what dead workers left.

It is apart from the doors so that a landing zone that is slow or away costs them nothing. What it does is safe to
repeat: killed at any point, the next one starts over and writes the same objects.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from justai_assets.collector.counters import SUFFIX, PatientCounters
from justai_assets.collector.folders import REST, adopt, closed_segments, sync_folder, worker_folders
from justai_assets.collector.logs import logger
from justai_assets.collector.seal import Sealed, seal_segment, shorten, source_of
from justai_assets.storage import Root

IDLE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 4.0
REFUSED_SECONDS = 5.0
"""How long a source that was refused is not tried. Longer than any wait between two passes, so that a pass that ends
early at refused sources does not meet the same ones first the next time."""


class Sealer:
    """Seals every closed segment of a journal.

    Args:
        journal: the collector's journal folder.
        landing: the landing root.
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
        self._landing = landing
        self._count = count
        self._log = log
        self._monotonic = monotonic
        self._refused: dict[str, float] = {}
        self._left: dict[Path, frozenset[bytes]] = {}

    def run_once(self) -> tuple[int, int]:
        """One pass over all workers' folders: how many segments were landed, whole or in part, and how many wait.

        A source (door and org) that is refused is left alone for REFUSED_SECONDS; the others land meanwhile. The
        pass ends early only when nothing that it tried could be written, for reasons that may pass: the landing zone is
        away.
        """
        landed = waiting = 0
        away = False
        for folder in worker_folders(self._journal):
            adopt(folder)
            for path in closed_segments(folder) if folder.is_dir() else []:
                if away:
                    waiting += 1
                    continue
                progress, done, away = self._seal(path)
                landed += progress
                waiting += not done
                away = away and not landed
            if folder.is_dir():
                adopt(folder)  # goes away once its last segment is landed
        return landed, waiting

    def _seal(self, path: Path) -> tuple[bool, bool, bool]:
        """Whether something of the segment was landed, whether all of it is, and whether the landing zone is away."""
        name = f"{path.parent.name}/{path.stem}"
        avoid = {source for source, until in self._refused.items() if until > self._monotonic()}
        left = self._left.get(path)
        if left and all(source_of(tag) in avoid for tag in left):
            return False, False, False
        try:
            sealed = seal_segment(path, self._landing, avoid=avoid, only=left)
            self._take_note(name, sealed)
            self._leave(path, sealed)
        except OSError as error:
            # The segment stays and is tried again; one that cannot be read must not keep the others from landing.
            self._log.error("segment_not_landed", segment=name, error=type(error).__name__)
            self._count("landing_failures", 1)
            return False, False, False
        away = bool(sealed.refused) and not sealed.objects and all(one.transient for one in sealed.refused)
        return not sealed.left or bool(sealed.objects), not sealed.left, away

    def _take_note(self, name: str, sealed: Sealed) -> None:
        """Count and log what was landed and what was refused."""
        until = self._monotonic() + REFUSED_SECONDS
        for one in sealed.refused:
            self._refused[one.source] = until
            door, _, org = one.source.partition("/")
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
        """Delete a landed segment, or keep of it what is not landed; one with damage is kept aside as it was."""
        if not sealed.left:
            self._keep_aside(path, sealed)
            path.with_suffix(REST).unlink(missing_ok=True)
            path.unlink()
            self._left.pop(path, None)
            sync_folder(path.parent)
            return
        # From here on only these are tried, also when the disk has no room for the shorter segment.
        self._left[path] = sealed.left
        if sealed.objects:
            self._keep_aside(path, sealed)
            shorten(path, sealed.left)

    def _keep_aside(self, path: Path, sealed: Sealed) -> None:
        name = f"{path.parent.name}-{path.stem}"
        if sealed.torn_bytes:
            self._count("torn_bytes", sealed.torn_bytes)
            self._log.info("unfinished_write", segment=name, bytes=sealed.torn_bytes)
        if sealed.damaged_bytes:
            aside = self._journal / "damaged"
            aside.mkdir(exist_ok=True)
            kept = aside / f"{name}.segment"
            if kept.exists():
                return
            kept.hardlink_to(path)
            sync_folder(aside)
            self._count("damaged_bytes", sealed.damaged_bytes)
            self._log.error("segment_damaged", segment=name, bytes=sealed.damaged_bytes)


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
    log = logger()
    counters = PatientCounters(journal / "counters" / f"sealer-{os.getpid()}{SUFFIX}")
    sealer = Sealer(journal, Root.parse(landing), counters.add, log)
    wait = IDLE_SECONDS
    while not doors.poll(wait):
        landed, waiting = sealer.run_once()
        wait = min(wait * 2, MAX_BACKOFF_SECONDS) if waiting and not landed else IDLE_SECONDS
    deadline = time.monotonic() + drain_seconds
    while True:
        _, waiting = sealer.run_once()
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(IDLE_SECONDS)
    log.info("sealer_stopped", undelivered=waiting)
