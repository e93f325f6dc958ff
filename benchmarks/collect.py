"""How fast the doors are, against the same server doing nothing: `justai bench collect`.

The bare server is Starlette on Granian with the same settings and as many workers, whose route reads the body and
answers 204. Load comes from this process, over the loopback, so on few cores it takes its share from both alike.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.http_load import LoadResult, post, run_load
from justai_assets.serving.collector_config import CollectorConfig, CollectorError, Limits
from justai_assets.serving.http_server import run_granian, serve

_SLUG, _KEY = "bench", "bench-key"
_PATH = f"/api/webhook/itbl/{_SLUG}?campaignId=9001"
_ORG = f"""
slug: {_SLUG}
start_date: 2026-01-01
pseudonym_salt: file:key
engagement: iterable_webhooks
sources:
  iterable_webhooks: {{api_key: file:key}}
"""


MIN_RATIO = 0.5
"""Throughput as a share of the bare server's."""
MIN_PER_SECOND, AT_BARE_PER_SECOND = 4000, 8000
"""Requests a second, on a machine where the bare server reaches so many."""
MAX_P99_SECONDS = 0.050
"""At half of the peak."""
MAX_GROWTH, FLAT_SECONDS = 1.05, 300
"""Memory in the last quarter against the second, over at least so many seconds."""


@dataclass
class CollectBench:
    """What a run measured.

    Attributes:
        body_bytes: of each request.
        connections: kept alive, one request at a time each.
        workers: of both servers.
        bare: answers a second of the server that does nothing, by round.
        doors: answers a second of the collector, by round; each is one event on disk.
        paced_rate: requests a second of the paced run, half of the collector's peak.
        paced_p50: seconds.
        paced_p99: seconds.
        memory: (seconds since the start, bytes of all the collector's processes) under the paced load.
        sent: events the collector acknowledged.
        landed: envelopes it had landed when it was idle again.
    """

    body_bytes: int
    connections: int
    workers: int
    bare: list[float] = field(default_factory=list)
    doors: list[float] = field(default_factory=list)
    paced_rate: float = 0.0
    paced_p50: float = 0.0
    paced_p99: float = 0.0
    memory: list[tuple[float, int]] = field(default_factory=list)
    sent: int = 0
    landed: int = 0

    @property
    def ratio(self) -> float:
        """The collector's throughput as a share of the bare server's: the median over rounds."""
        return median(doors / bare for doors, bare in zip(self.doors, self.bare, strict=True))

    @property
    def memory_growth(self) -> float:
        """Memory in the last quarter of the run against the second: 1.0 is flat. The first quarter fills caches."""
        quarter = len(self.memory) // 4
        if not quarter:
            return 1.0
        return median(size for _, size in self.memory[-quarter:]) / median(
            size for _, size in self.memory[quarter : 2 * quarter]
        )

    def lines(self) -> Iterator[str]:
        """The report, for people."""
        yield f"{self.body_bytes} B bodies, {self.connections} connections, {self.workers} worker(s), fsync on"
        for number, (bare, doors) in enumerate(zip(self.bare, self.doors, strict=True), 1):
            yield f"round {number}: bare 204 {bare:8.0f}/s   doors {doors:8.0f}/s   ratio {doors / bare:.2f}"
        yield f"ratio to the bare server (median): {self.ratio:.2f}"
        yield f"at {self.paced_rate:.0f}/s: p50 {self.paced_p50 * 1000:.1f} ms, p99 {self.paced_p99 * 1000:.1f} ms"
        if self.memory:
            peak = max(size for _, size in self.memory) / 2**20
            took = self.memory[-1][0]
            yield f"memory over {took:.0f} s: peak {peak:.0f} MiB, last against second quarter {self.memory_growth:.3f}"
        yield f"acknowledged {self.sent}, landed {self.landed}"
        yield from self.verdicts()

    def verdicts(self) -> Iterator[str]:
        """Each target, and whether this run held it; a run that cannot tell says why."""

        def target(what: str, *, held: bool) -> str:
            return f"target {what}: {'held' if held else 'missed'}"

        yield target(f"throughput at least {MIN_RATIO} of the bare server's", held=self.ratio >= MIN_RATIO)
        bare, doors = median(self.bare), median(self.doors)
        what = f"at least {MIN_PER_SECOND}/s where the bare server reaches {AT_BARE_PER_SECOND}/s"
        reached = bare >= AT_BARE_PER_SECOND
        yield target(what, held=doors >= MIN_PER_SECOND) if reached else f"target {what}: it reaches {bare:.0f}/s here"
        yield target(f"p99 at most {MAX_P99_SECONDS * 1000:.0f} ms", held=self.paced_p99 <= MAX_P99_SECONDS)
        what, took = f"memory flat over {FLAT_SECONDS} s", self.memory[-1][0] if self.memory else 0.0
        is_long = took >= FLAT_SECONDS
        yield (
            target(what, held=self.memory_growth <= MAX_GROWTH)
            if is_long
            else (f"target {what}: not measured in {took:.0f} s; give --paced-seconds {FLAT_SECONDS}")
        )
        yield target("every acknowledged event landed once", held=self.sent == self.landed)


def bench_collect(
    *,
    workers: int = 1,
    connections: int = 256,
    rounds: int = 3,
    seconds: float = 5.0,
    paced_seconds: float = 10.0,
    body_bytes: int = 1000,
) -> CollectBench:
    """Measure peak throughput by turns, then latency and memory at half of the collector's peak.

    Args:
        workers: processes of each server.
        connections: of the load.
        rounds: how often bare server and collector take turns.
        seconds: of each turn.
        paced_seconds: of the paced run; 300 shows whether memory is flat.
        body_bytes: of each event, roughly.

    Raises:
        CollectorError: a server did not start, or an event was not accepted.
    """
    request, size = _request(body_bytes)
    result = CollectBench(size, connections, workers)
    with tempfile.TemporaryDirectory(prefix="justai-bench-") as folder:
        base = Path(folder)
        config = _config(base)
        with _server(_run_bare, config, workers) as (bare, _), _server(_run_doors, config, workers) as (doors, pid):
            for _ in range(rounds):
                result.bare.append(_load(bare, request, connections, seconds, None, 204).per_second)
                found = _load(doors, request, connections, seconds, None, 202)
                result.doors.append(found.per_second)
                result.sent += found.answers
            result.paced_rate = max(result.doors) / 2
            slices = max(1, round(paced_seconds / 5))
            latencies: list[float] = []
            begun = time.perf_counter()
            for _ in range(slices):
                found = _load(doors, request, connections, paced_seconds / slices, result.paced_rate, 202)
                result.sent += found.answers
                latencies += found.latencies
                result.memory.append((time.perf_counter() - begun, _memory(pid)))
            paced = LoadResult(latencies=latencies)
            result.paced_p50, result.paced_p99 = paced.percentile(0.5), paced.percentile(0.99)
        result.landed = _landed(base)
    return result


def _request(body_bytes: int) -> tuple[Any, int]:
    mark = "0" * 32
    fields = {"createdAt": "2026-01-05 12:41:03 +00:00", "messageId": mark, "campaignId": 9001, "templateId": 501}
    body = {"email": "user1@example.com", "eventName": "emailOpen", "dataFields": fields}
    fields["userAgent"] = ""
    fields["userAgent"] = "x" * max(0, body_bytes - len(json.dumps(body)))
    content = json.dumps(body).encode()
    before, after = post(_PATH, {"X-Api-Key": _KEY}, content).split(mark.encode())
    numbers = iter(range(1 << 62))
    # Every event of the whole run is another one, whatever number its turn gives it.
    return lambda _: b"%b%032x%b" % (before, next(numbers), after), len(content)


def _config(base: Path) -> CollectorConfig:
    orgs = base / "orgs"
    orgs.mkdir()
    (base / "landing").mkdir()
    (orgs / f"{_SLUG}.yaml").write_text(_ORG)
    (orgs / "key").write_text(_KEY)
    limits = Limits(org_requests_per_second=1e9, org_burst=1e9)
    return CollectorConfig(journal=base / "journal", landing=str(base / "landing"), orgs_dir=orgs, limits=limits)


def _load(
    port: int, request: Any, connections: int, seconds: float, per_second: float | None, expected: int
) -> LoadResult:
    found = run_load(("127.0.0.1", port), request, connections=connections, seconds=seconds, per_second=per_second)
    if set(found.statuses) != {expected}:
        raise CollectorError(f"expected only {expected}, got {dict(found.statuses)}")
    return found


@contextmanager
def _server(run: Any, config: CollectorConfig, workers: int) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its port and process id."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    process = multiprocessing.get_context("spawn").Process(target=run, args=(config, port, workers))
    process.start()
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or not process.is_alive():
                    raise CollectorError("the server did not start") from None
                time.sleep(0.05)
        assert process.pid is not None
        yield port, process.pid
    finally:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGTERM)
        process.join(90)


def _bare_app() -> Starlette:
    async def nothing(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    return Starlette(routes=[Route("/api/webhook/itbl/{org_slug}", nothing, methods=["POST"])])


def _run_bare(config: CollectorConfig, port: int, workers: int) -> None:
    run_granian(_bare_app, config, host="127.0.0.1", port=port, workers=workers)


def _run_doors(config: CollectorConfig, port: int, workers: int) -> None:
    # The access log is part of the work, and where it goes is not.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    serve(config, host="127.0.0.1", port=port, workers=workers)


def _memory(pid: int) -> int:
    """Resident bytes of a service's processes, pages that they share counted once."""
    total = 0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        total += int(process.memory_full_info().pss)
    return total


def _landed(base: Path) -> int:
    import zstandard

    lines = 0
    for path in (base / "landing").rglob("*.jsonl.zst"):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as content:
            while chunk := content.read(1 << 20):
                lines += chunk.count(b"\n")
    return lines
