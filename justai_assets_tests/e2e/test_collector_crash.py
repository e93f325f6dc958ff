"""kill -9 under load: what was acknowledged is in the landing zone exactly once."""

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from justai_assets.bench.http_load import post, run_load
from justai_assets_tests.collector.service import KEY, Service, iterable_body, landed, nursery, settings, write_orgs

CYCLES = int(os.environ.get("JUSTAI_CRASH_CYCLES", "50"))


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


def _children(service: Service, worker: bool) -> list[psutil.Process]:
    found = psutil.Process(service.pid).children()
    return [one for one in found if ("multiprocessing" in " ".join(one.cmdline())) != worker]


@pytest.mark.slow
def test_every_acknowledged_event_survives_kill_9_exactly_once(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    # Segments of 20 kB: several are being written, closed, uploaded and deleted in every cycle.
    config = settings(tmp_path, segment_bytes=20_000, segment_seconds=0.3, access_log="none")
    chance = random.Random(20260105)
    acknowledged: list[str] = []
    sent = 0
    ways: Counter[str] = Counter()
    with nursery() as starter:
        for _ in range(CYCLES):
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
            assert set(load.statuses) <= {0, 202}
        service = starter.start(config)
        service.wait_landed(60 + CYCLES)
        assert starter.stop(service) == 0
    counts = Counter(envelope["id"] for envelope in landed(tmp_path / "landing"))
    assert len(acknowledged) > 20 * CYCLES, "the load was too small to mean anything"
    assert len(set(acknowledged)) == len(acknowledged)
    assert [one for one in acknowledged if counts[one] != 1] == []
    assert max(counts.values()) == 1
    assert len(counts) <= sent
    assert not list((tmp_path / "journal" / "damaged").iterdir())
    assert ways["worker"]
    assert ways["sealer"]
    print(f"{CYCLES} kills {dict(ways)}: {sent} sent, {len(acknowledged)} acknowledged, {len(counts)} landed")
