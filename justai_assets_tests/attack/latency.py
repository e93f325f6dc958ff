"""What the requests of other orgs take while one client attacks the collector.

`python -m justai_assets_tests.attack latency`. A collector runs with two workers; one org sends at a steady pace. Its p99
is measured quiet, then beside each attack, and quiet again; an attack passes when it stays below `--limit` times the
larger quiet p99. The attacker is a process of its own, with the lowest priority: elsewhere it would have processors of
its own, and here it must not take them from the collector and from the measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from benchmarks.http_load import post, run_load
from justai_assets.serving.collector_config import Limits
from justai_assets_tests.serving.nursery import nursery
from justai_assets_tests.serving.service import KEY, Service, http, iterable_body, settings, sign, write_orgs

PER_SECOND: Final = 100.0
RATES: Final = ("org_requests_per_second", "org_burst", "refused_per_second", "refused_burst")
"""Limits that other tests do without, and that are tried here as they are."""
MEBIBYTE: Final = 1 << 20
Attack = Callable[[Service, Event], None]


def run(arguments: list[str]) -> int:
    """Measure every attack; 0 when each stays within the limit."""
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--limit", type=float, default=5.0, help="times the quiet p99")
    parser.add_argument("--only", nargs="*", choices=sorted(ATTACKS), default=sorted(ATTACKS))
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="justai-latency-") as folder:
        base = Path(folder)
        write_orgs(base)
        fifo = base / "service.log"
        os.mkfifo(fifo)
        # Nobody reads it: the log is stalled for the whole run.
        unread = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        rates = {name: getattr(Limits, name) for name in RATES}
        config = settings(base, access_log="all", segment_seconds=1.0, **rates)
        try:
            with nursery() as starter:
                service = starter.start(config, workers=2)
                _p99(service, 2.0)
                quiet = _p99(service, given.seconds)
                found = {name: _beside(service, name, given.seconds) for name in given.only}
                again = _p99(service, given.seconds)
                assert starter.stop(service) == 0
        finally:
            os.close(unread)
    base_ms = max(quiet, again) * 1000
    print(f"quiet p99 {quiet * 1000:.1f} ms before and {again * 1000:.1f} ms after; {PER_SECOND:.0f} requests/s")
    print(f"{'attack':28} {'p99 ms':>8} {'× quiet':>8}")
    for name, p99 in found.items():
        print(f"{name:28} {p99 * 1000:8.1f} {p99 * 1000 / base_ms:8.2f}")
    return 0 if all(p99 * 1000 < given.limit * base_ms for p99 in found.values()) else 1


def _p99(service: Service, seconds: float) -> float:
    """The p99 of one org's requests at a steady pace."""

    def request(number: int) -> bytes:
        body = json.dumps(iterable_body(number)).encode()
        return post("/api/webhook/itbl/other", {"X-Api-Key": "key-of-other"}, body)

    found = run_load(("127.0.0.1", service.port), request, connections=8, seconds=seconds, per_second=PER_SECOND)
    assert set(found.statuses) == {202}, found.statuses
    return found.percentile(0.99)


def _beside(service: Service, name: str, seconds: float) -> float:
    with _attacking(service, name):
        return _p99(service, seconds)


@contextmanager
def _attacking(service: Service, name: str) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    begun, ended = spawn.Event(), spawn.Event()
    process = spawn.Process(target=_attack, args=(service, name, begun, ended), daemon=True)
    process.start()
    try:
        assert begun.wait(30), f"{name}: the attacker did not start"
        time.sleep(0.5)
        yield
        assert process.is_alive(), f"{name}: the attacker ended by itself"
    finally:
        ended.set()
        process.join(30)


def _attack(service: Service, name: str, begun: Event, ended: Event) -> None:
    os.nice(19)
    begun.set()
    ATTACKS[name](service, ended)


def _repeat(path: str, headers: dict[str, str], body: bytes, *, connections: int = 2, each: float = 0.0) -> Attack:
    """One client that sends the same request again and again."""

    def attack(service: Service, ended: Event) -> None:
        content = post(path, headers, body)
        while not ended.is_set():
            with contextlib.suppress(OSError):
                pace = None if not each else connections / each
                run_load(
                    ("127.0.0.1", service.port),
                    lambda _: content,
                    connections=connections,
                    seconds=0.5,
                    per_second=pace,
                )

    return attack


def _nested() -> bytes:
    return b'{"a":' + b"[" * (MEBIBYTE // 2 - 8) + b"]" * (MEBIBYTE // 2 - 8) + b"}"


def _values() -> bytes:
    return json.dumps({"eventName": "x", "dataFields": {"a": [1e300 + n for n in range(4_900)]}}).encode()


def _held(head: bytes, count: int) -> Attack:
    """One client that opens connections, sends a beginning on each, and no more."""

    def attack(service: Service, ended: Event) -> None:
        held: list[socket.socket] = []
        try:
            while not ended.is_set():
                if len(held) < count:
                    with contextlib.suppress(OSError):
                        connection = socket.create_connection(("127.0.0.1", service.port), timeout=5)
                        connection.sendall(head)
                        held.append(connection)
                        continue
                ended.wait(0.2)
        finally:
            for connection in held:
                connection.close()

    return attack


def _idle_upload() -> bytes:
    signature = sign(b"")
    head = (
        f"POST /api/webhook/chameleon/acme HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"x-chameleon-signature: {signature}\r\ncontent-length: {MEBIBYTE}\r\n\r\n"
    )
    return head.encode() + b"x" * (MEBIBYTE - 10)


def _scrapes(service: Service, ended: Event) -> None:
    while not ended.is_set():
        http().get(f"{service.url}/metrics")


ATTACKS: Final[dict[str, Attack]] = {
    "nested brackets, 1 MB": _repeat("/api/webhook/itbl/acme", {"X-Api-Key": KEY}, _nested()),
    "thousands of values": _repeat("/api/webhook/itbl/acme", {"X-Api-Key": KEY}, _values()),
    "a flood of one org": _repeat(
        "/api/webhook/itbl/acme", {"X-Api-Key": KEY}, json.dumps(iterable_body()).encode(), connections=4
    ),
    "anonymous flood": _repeat("/api/webhook/itbl/open-org", {}, b"{}", connections=4),
    "unknown credentials": _repeat("/api/webhook/itbl/acme", {"X-Api-Key": "wrong"}, b"{}", connections=4),
    "32 idle uploads": _held(_idle_upload(), 32),
    "200 slow heads": _held(b"POST /api/webhook/itbl/acme HTTP/1.1\r\nhost: x\r\nx-a: ", 200),
    "metrics, again and again": _scrapes,
}
