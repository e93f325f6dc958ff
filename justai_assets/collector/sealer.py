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

from justai_assets.collector.counters import SUFFIX, Counters
from justai_assets.collector.folders import adopt, closed_segments, sync_folder, worker_folders
from justai_assets.collector.logs import logger
from justai_assets.collector.seal import Sealed, seal_segment
from justai_assets.contract.errors import JustAIError
from justai_assets.storage import Root

IDLE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 10.0


class Sealer:
    """Seals every closed segment of a journal.

    Args:
        journal: the collector's journal folder.
        landing: the landing root.
        count: adds to a counter.
        log: a structured logger.
    """

    def __init__(self, journal: Path, landing: Root, count: Callable[[str, int], None], log: Any) -> None:
        self._journal = journal
        self._landing = landing
        self._count = count
        self._log = log

    def run_once(self) -> tuple[int, int]:
        """One pass over all workers' folders: how many segments were landed, and how many could not be."""
        landed = failed = 0
        for folder in worker_folders(self._journal):
            adopt(folder)
            for path in closed_segments(folder) if folder.is_dir() else []:
                verdict = self._seal(path)
                landed += verdict is None
                failed += verdict is not None
                if verdict:
                    # The landing zone is away: the other segments would only meet the same.
                    return landed, failed
            if folder.is_dir():
                adopt(folder)  # goes away once its last segment is landed
        return landed, failed

    def _seal(self, path: Path) -> bool | None:
        """None when the segment is landed; otherwise whether the failure is one that passes by itself."""
        name = f"{path.parent.name}/{path.stem}"
        try:
            sealed = seal_segment(path, self._landing)
            self._leave(path, sealed)
        except (JustAIError, OSError, ValueError) as error:
            # The segment stays and is tried again; one that cannot be read must not keep the others from landing.
            code = error.code if isinstance(error, JustAIError) else type(error).__name__
            self._log.error("segment_not_landed", segment=name, error=code)
            self._count("landing_failures", 1)
            return isinstance(error, JustAIError) and error.transient
        for what in ("objects", "lines", "bytes"):
            self._count(f"landed_{what}", getattr(sealed, what))
        self._log.info("segment_landed", segment=name, objects=sealed.objects, lines=sealed.lines, bytes=sealed.bytes)
        return None

    def _leave(self, path: Path, sealed: Sealed) -> None:
        """Delete a landed segment, or keep it aside when part of it could not be read."""
        name = f"{path.parent.name}-{path.stem}"
        if sealed.torn_bytes:
            self._count("torn_bytes", sealed.torn_bytes)
            self._log.info("unfinished_write", segment=name, bytes=sealed.torn_bytes)
        if sealed.damaged_bytes:
            aside = self._journal / "damaged"
            aside.mkdir(exist_ok=True)
            path.rename(aside / f"{name}.segment")
            sync_folder(aside)
            self._count("damaged_bytes", sealed.damaged_bytes)
            self._log.error("segment_damaged", segment=name, bytes=sealed.damaged_bytes)
        else:
            path.unlink()
        sync_folder(path.parent)


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
    counters = Counters(journal / "counters" / f"sealer-{os.getpid()}{SUFFIX}")
    sealer = Sealer(journal, Root.parse(landing), counters.add, log)
    wait = IDLE_SECONDS
    while not doors.poll(wait):
        landed, failed = sealer.run_once()
        wait = min(wait * 2, MAX_BACKOFF_SECONDS) if failed and not landed else IDLE_SECONDS
    deadline = time.monotonic() + drain_seconds
    while True:
        _, failed = sealer.run_once()
        if not failed or time.monotonic() > deadline:
            break
        time.sleep(IDLE_SECONDS)
    log.info("sealer_stopped", undelivered=failed)
