"""kill -9 under load: what was acknowledged is in the landing zone exactly once.

`python -m justai_assets_tests.attack kill --disk 100 --s3 50`. Every cycle starts a collector, sends it events, and kills
it whole, or first a worker or the sealer, at a random moment. In the end one more collector lands what is left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.http_load import post, run_load
from justai_assets.serving.collector_config import CollectorConfig
from justai_assets.serving.journal.segment_landing import seal_segment
from justai_assets.serving.journal.uploads import Uploads
from justai_assets.storage import Root
from justai_assets_tests.e2e.s3_server import BUCKET, s3_server
from justai_assets_tests.serving.nursery import nursery
from justai_assets_tests.serving.service import KEY, Service, free_port, iterable_body, landed, settings, write_orgs


def run(arguments: list[str]) -> int:
    """Kill on disk and on an S3 server; 0 when nothing was lost and nothing landed twice."""
    parser = argparse.ArgumentParser(prog="kill", description=__doc__)
    parser.add_argument("--disk", type=int, default=100, help="cycles with a landing root on disk")
    parser.add_argument("--s3", type=int, default=50, help="cycles with one on an S3 server")
    parser.add_argument("--seed", type=int, default=20260105)
    given = parser.parse_args(arguments)
    is_good = True
    for place, cycles in (("disk", given.disk), ("s3", given.s3)):
        if not cycles:
            continue
        with tempfile.TemporaryDirectory(prefix="justai-kill-") as folder:
            base = Path(folder)
            if place == "disk":
                found = survive(settings(base), cycles, given.seed)
            else:
                with s3_server(free_port()) as endpoint:
                    os.environ.update(
                        AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing",
                        AWS_REGION="us-east-1",
                    )  # fmt: skip
                    found = survive(settings(base, landing=f"s3://{BUCKET}/zone"), cycles, given.seed)
        print(f"{place}: {found}", flush=True)
        is_good = is_good and not found.lost and not found.twice and not found.harmed
    return 0 if is_good else 1


@dataclass(frozen=True)
class Survived:
    """What became of the events of some cycles.

    Attributes:
        cycles: kills.
        ways: what was killed first.
        sent: requests sent.
        acknowledged: those that were answered with 202.
        landed: events in the landing zone.
        lost: acknowledged events that are not there exactly once.
        twice: events that are there more than once.
        harmed: segments kept aside that lack more than an unfinished write.
    """

    cycles: int
    ways: dict[str, int]
    sent: int
    acknowledged: int
    landed: int
    lost: int
    twice: int
    harmed: int


class _Load(threading.Thread):
    """Sends events, each another one, and remembers the ids that were acknowledged."""

    def __init__(self, service: Service, first: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._service, self._first, self._seconds = service, first, seconds
        self.acknowledged: list[str] = []
        self.sent = 0
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        def request(number: int) -> bytes:
            self.sent = number + 1
            body = json.dumps(iterable_body(self._first + number)).encode()
            return post("/api/webhook/itbl/acme", {"X-Api-Key": KEY}, body)

        def answered(_: int, status: int, body: bytes) -> None:
            if status == 202:
                self.acknowledged.append(json.loads(body)["id"])

        result = run_load(
            ("127.0.0.1", self._service.port), request, connections=8, seconds=self._seconds, on_answer=answered
        )
        self.statuses = result.statuses


def survive(base: CollectorConfig, cycles: int, seed: int) -> Survived:
    """Kill a collector so many times and say what became of its events."""
    write_orgs(base.orgs_dir.parent)
    # Segments of 20 kB: several are being written, closed, uploaded and deleted in every cycle.
    config = CollectorConfig(
        base.journal, base.landing, base.orgs_dir, limits=base.limits, segment_bytes=20_000, segment_seconds=0.3,
        min_free_bytes=0, access_log="none",
    )  # fmt: skip
    chance = random.Random(seed)
    acknowledged: list[str] = []
    sent = 0
    ways: Counter[str] = Counter()
    with nursery() as starter:
        for _ in range(cycles):
            workers = chance.choice([1, 2])
            service = starter.start(config, workers=workers)
            load = _Load(service, sent, seconds=30)
            load.start()
            time.sleep(chance.uniform(0.02, 0.5))
            way = chance.choices(["all", "worker", "sealer"], [8, 1, 1])[0]
            ways[way] += 1
            if way != "all":
                for process in _children(service, worker=way == "worker"):
                    process.kill()
                time.sleep(0.1)
            service.kill()
            load.join(timeout=40)
            assert not load.is_alive()
            starter.reap(service)
            acknowledged += load.acknowledged
            sent += load.sent
            assert set(load.statuses) <= {0, 202}, load.statuses
        service = starter.start(config)
        service.wait_landed(60 + cycles)
        assert starter.stop(service) == 0
    counts = Counter(envelope["id"] for envelope in landed(Root.parse(config.landing)))
    assert len(set(acknowledged)) == len(acknowledged)
    assert len(counts) <= sent
    return Survived(
        cycles, dict(ways), sent, len(acknowledged), len(counts),
        lost=sum(counts[one] != 1 for one in acknowledged),
        twice=sum(count > 1 for count in counts.values()),
        harmed=sum(_is_harmed(path) for path in sorted((config.journal / "damaged").iterdir())),
    )  # fmt: skip


def _is_harmed(path: Path) -> bool:
    """Whether a segment that was kept aside lacks more than a write that never finished."""
    with tempfile.TemporaryDirectory() as scratch:
        found = seal_segment(path, Uploads(Root.parse(scratch)))
    return bool(found.damaged_bytes or found.lost_records or found.is_cut)


def _children(service: Service, worker: bool) -> list[psutil.Process]:
    found = psutil.Process(service.pid).children()
    return [one for one in found if ("multiprocessing" in " ".join(one.cmdline())) != worker]
