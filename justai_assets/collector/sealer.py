"""The process that brings journal segments into the landing zone, and that takes over what dead workers left.

It is apart from the doors so that a landing zone that is slow or away costs them nothing. What it does is safe to
repeat: killed at any point, the next one starts over and writes the same objects.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from justai_assets.collector.counters import SUFFIX, PatientCounters
from justai_assets.collector.folders import REST, adopt, closed_segments, sync_folder, try_lock, worker_folders
from justai_assets.collector.logs import logger, queue_everything, writer
from justai_assets.collector.seal import Refused, Sealed, Tag, seal_segment, shorten, source_of
from justai_assets.storage import Root

IDLE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 4.0
REFUSED_SECONDS = 5.0
"""How long a group that was refused is not tried at first; twice as long each time. Longer than any wait between two
passes, so that a pass that ends early at refused groups does not meet the same ones first the next time."""
MAX_REFUSED_SECONDS = 300.0
DEATHS = 2
"""A segment at which so many sealers died is set aside: it would kill the next one as well."""
WORK = "sealer.work"
LOCK = "sealer.lock"


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
        self._refused: dict[Tag | str, tuple[float, float]] = {}
        self._left: dict[Path, frozenset[Tag]] = {}
        self._told: set[tuple[str, str]] = set()

    def run_once(self) -> tuple[int, int]:
        """One pass over all workers' folders: how many segments were landed, whole or in part, and how many wait.

        A group (source, org and day) that is refused is left alone for a while; the others land meanwhile. The pass
        ends early only when nothing that it tried could be written, for reasons that may pass: the landing zone is
        away. A folder or a segment that makes trouble is logged and counted, and the pass goes on with the next one.
        """
        landed = waiting = 0
        away = False
        for folder in worker_folders(self._journal):
            try:
                adopt(folder)
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
            with suppress(OSError):
                adopt(folder)  # goes away once its last segment is landed
        return landed, waiting

    def _seal(self, path: Path) -> tuple[bool, bool, bool]:
        """Whether something of the segment was landed, whether all of it is, and whether the landing zone is away."""
        name = f"{path.parent.name}/{path.stem}"
        avoid = {one for one, (until, _) in self._refused.items() if until > self._monotonic()}
        left = self._left.get(path)
        if left and all(tag in avoid or source_of(tag) in avoid for tag in left):
            return False, False, False
        try:
            if deaths_at(self._journal, name) >= DEATHS:
                self._set_aside(path, name)
                return True, True, False
            note_work(self._journal, name)
            try:
                sealed = seal_segment(path, self._landing, avoid=avoid, only=left)
                self._take_note(name, sealed)
                self._leave(path, sealed)
            finally:
                forget_work(self._journal)
        except OSError as error:
            # The segment stays and is tried again; one that cannot be read must not keep the others from landing.
            self._trouble("segment_not_landed", name, error)
            return False, False, False
        except Exception as error:
            # A mistake of ours at one segment is told and counted, and holds up no other.
            self._trouble("segment_not_landed", name, error)
            return False, False, False
        away = bool(sealed.refused) and not sealed.objects and all(one.transient for one in sealed.refused)
        return not sealed.left or bool(sealed.objects), not sealed.left, away

    def _trouble(self, event: str, name: str, error: Exception) -> None:
        self._count("landing_failures", 1)
        # Met again at every pass: told once, counted each time.
        if (name, type(error).__name__) not in self._told:
            self._told.add((name, type(error).__name__))
            self._log.error(event, segment=name, error=type(error).__name__)

    def _take_note(self, name: str, sealed: Sealed) -> None:
        """Count and log what was landed and what was refused."""
        now = self._monotonic()
        for one in sealed.refused:
            # A refusal for good is of that day; what may pass, a hanging upload above all, concerns the source.
            whose = source_of(one.tag) if one.transient else one.tag
            _, wait = self._refused.get(whose, (0.0, REFUSED_SECONDS / 2))
            wait = min(2 * wait, MAX_REFUSED_SECONDS)
            self._refused[whose] = now + wait, wait
        for over in [one for one, (until, wait) in self._refused.items() if until + wait < now]:
            # Tried again since, or no longer there: it begins anew.
            del self._refused[over]
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
        if not sealed.left:
            self._keep_aside(path, sealed)
            for rest in path.parent.glob(f"{path.stem}.*{REST}"):
                rest.unlink(missing_ok=True)
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
        """Keep a segment that is not whole, under its name, and say what is missing."""
        if sealed.is_whole:
            return
        name = f"{path.parent.name}-{path.stem}"
        kept = self._journal / "damaged" / f"{name}{path.suffix}"
        if kept.exists():
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
        forget_work(self._journal)
        self._count("damaged_segments", 1)
        self._log.error("segment_set_aside", segment=name, deaths=DEATHS)


def _one_a_source(refused: Iterable[Refused]) -> list[Refused]:
    """Of the refusals of each source the first: a line a day would flood the log."""
    return list({one.tag.rpartition(b"/")[0]: one for one in reversed(list(refused))}.values())[::-1]


def note_work(journal: Path, name: str) -> None:
    """Say on disk, before it is opened, which segment is being sealed; deaths at it are kept.

    Where the disk takes no note, sealing goes on without one: it is what makes room on a full disk.
    """
    _write_note(journal, name, deaths_at(journal, name))


def forget_work(journal: Path) -> None:
    """Say that no segment is being sealed."""
    (journal / WORK).unlink(missing_ok=True)


def deaths_at(journal: Path, name: str) -> int:
    """How many sealers died at a segment in a row."""
    try:
        found = json.loads((journal / WORK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return int(found.get("deaths", 0)) if isinstance(found, dict) and found.get("segment") == name else 0


def count_death(journal: Path) -> None:
    """Count a death of the sealer at the segment it was at, if it was at one.

    Only whoever saw the sealer die while the collector lived may say so: a host that goes down is no segment's fault.
    """
    with suppress(OSError, ValueError, LookupError):
        found = json.loads((journal / WORK).read_text(encoding="utf-8"))
        _write_note(journal, found["segment"], int(found["deaths"]) + 1)


def _write_note(journal: Path, name: str, deaths: int) -> None:
    making = journal / f"{WORK}.making"
    with suppress(OSError):
        making.write_text(json.dumps({"segment": name, "deaths": deaths}), encoding="utf-8")
        making.replace(journal / WORK)


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
    sealer = Sealer(journal, Root.parse(landing), counters.add, log)
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
