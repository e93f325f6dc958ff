"""What many orgs cost: loading the code location, and one tick of the doors' sensors."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from justai_assets.landing import sensor_memory as memory
from justai_assets.landing.change_detection import watch
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.org_changes import Cache, Watched
from justai_assets.landing.sensor_cursor import decode, encode
from justai_assets.sources.registry import is_drop
from justai_assets.storage import Root

ORGS: Final = (10, 50, 200)
DOORS: Final = ("iterable_webhooks", "journey_webhooks", "redshift")
DAYS: Final = 90

MAX_LOAD_SECONDS: Final = 8.0
MAX_SNAPSHOT_BYTES: Final = 25_000_000
MAX_TICK_SECONDS: Final = 60.0
MAX_CURSOR_BYTES: Final = 500_000

_ORG = """\
slug: {slug}
start_date: {start}
pseudonym_salt: env:BENCH_SALT
engagement: iterable_webhooks
custom: [journey_webhooks, redshift]
sources:
  iterable_webhooks: {{}}
  journey_webhooks: {{api_key: env:BENCH_KEY, events: {{"290146": purchase}}}}
  redshift: {{content: custom_events}}
"""


@dataclass(frozen=True)
class Load:
    """Loading a location, marts included: seconds from process start to snapshot, CPU too, and the snapshot's bytes."""

    orgs: int
    assets: int
    marts: int
    seconds: float
    cpu_seconds: float
    build_seconds: float
    snapshot_seconds: float
    snapshot_bytes: int

    @property
    def is_within(self) -> bool:
        """Whether the targets for 200 orgs hold: the CPU is one thread's, and the same beside other work."""
        return self.cpu_seconds <= MAX_LOAD_SECONDS and self.snapshot_bytes <= MAX_SNAPSHOT_BYTES

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.orgs:>4} orgs  {self.assets:>5} assets ({self.marts} marts)  loaded in {self.seconds:5.1f} s "
            f"(CPU {self.cpu_seconds:.1f}; build {self.build_seconds:.1f}, snapshot {self.snapshot_seconds:.1f})  "
            f"snapshot {self.snapshot_bytes / 1e6:5.1f} MB"
        )


@dataclass(frozen=True)
class DoorTick:
    """One tick of one door's sensor over all orgs."""

    door: str
    kind: str
    seconds: float
    reports: int
    visited: int
    cursor_bytes: int
    memory_bytes: int

    @property
    def is_within(self) -> bool:
        """Whether the targets hold."""
        return self.seconds <= MAX_TICK_SECONDS and self.cursor_bytes <= MAX_CURSOR_BYTES

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.door:<18} {self.kind:<26} {self.seconds:5.2f} s  {self.visited:>4} orgs {self.reports:>5} reports  "
            f"cursor {self.cursor_bytes / 1e3:5.1f} kB  memories {self.memory_bytes / 1e6:4.1f} MB"
        )


def loads(sizes: Sequence[int] = ORGS) -> Iterator[Load]:
    """Load locations of several sizes, each in a fresh process."""
    for size in sizes:
        with TemporaryDirectory(prefix="justai-bench-") as folder:
            write_orgs(Path(folder), size)
            began = time.perf_counter()
            command = [sys.executable, "-m", "justai_assets.dag.load_cost", folder]
            done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - fixed program
            seconds = time.perf_counter() - began
            found = json.loads(done.stdout)
            yield Load(
                orgs=size,
                assets=found["assets"],
                marts=found["marts"],
                seconds=seconds,
                cpu_seconds=found["cpu"],
                build_seconds=found["build"],
                snapshot_seconds=found["snapshot"],
                snapshot_bytes=int(found["bytes"]),
            )


def ticks(orgs: int = 200, days: int = DAYS, doors: Sequence[str] = DOORS) -> Iterator[DoorTick]:
    """Tick over a landing zone on disk: everything new (until all is reported), nothing new, a restart, a full sweep.

    Two objects a day: what a webhook door flushes, or a part file with its `_SUCCESS`.
    """
    now = datetime.now(UTC)
    first = now.date() - timedelta(days=days - 1)
    with TemporaryDirectory(prefix="justai-bench-") as folder:
        landing, lake = Root.parse(f"{folder}/landing"), Root.parse(f"{folder}/lake")
        watched = {f"org-{number:04d}": Watched(first) for number in range(orgs)}
        for door in doors:
            _land(landing, door, watched, first, days)
            cursor, cache = "", Cache()

            def tick(kind: str, at: datetime, door: str = door) -> DoorTick:
                nonlocal cursor
                began = time.perf_counter()
                known = decode(cursor)
                done = watch(landing, lake, door, watched, known, now=at, clock=time.monotonic, cache=cache)  # noqa: B023 - called in this round
                cursor = encode(done.cursor)
                seconds = time.perf_counter() - began
                kept = sum(found.size for found in lake.list(f"{memory.FOLDER}/{door}"))
                return DoorTick(door, kind, seconds, len(done.reports), done.visited, len(cursor.encode()), kept)

            for number in count(1):
                yield (found := tick(f"everything new, tick {number}", now))
                if not found.reports:
                    break
            yield tick("nothing new", now)
            cache = Cache()
            yield tick("after a restart", now)
            cache = Cache()
            yield tick("full sweep", now + timedelta(hours=2))


def write_orgs(folder: Path, orgs: int, start: date = date(2026, 1, 1)) -> None:
    """Org files of a usual shape: three doors."""
    for number in range(orgs):
        slug = f"org-{number:04d}"
        (folder / f"{slug}.yaml").write_text(_ORG.format(slug=slug, start=start), encoding="utf-8")


def _land(landing: Root, door: str, slugs: Sequence[str] | dict[str, Watched], first: date, days: int) -> None:
    names = ("0000.parquet", "_SUCCESS") if is_drop(door) else ("0000.jsonl.zst", "0001.jsonl.zst")
    for slug in slugs:
        for offset in range(days):
            folder = landing.local(day_prefix(door, slug, first + timedelta(days=offset)))
            folder.mkdir(parents=True)
            for name in names:
                (folder / name).write_bytes(b"x")


def main() -> bool:
    """Print them, and what the automation costs; whether the targets hold."""
    is_within = True
    for load in loads():
        sys.stdout.write(f"{load}\n")
        sys.stdout.flush()
        is_within = is_within and load.is_within
    for tick in ticks():
        sys.stdout.write(f"{tick}\n")
        sys.stdout.flush()
        is_within = is_within and tick.is_within
    # Here, because it takes the org files of this module.
    from benchmarks import automation

    return automation.main() and is_within


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
