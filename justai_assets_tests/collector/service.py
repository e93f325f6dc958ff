"""A collector for tests: in this process, or as the real service in processes of its own.

Run as a module it is a nursery: it reads one JSON configuration a line, forks a service for it, and prints its process
id. Forking saves the imports, so that a test can start a service dozens of times.
"""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import zstandard

from justai_assets.collector.app import create_app
from justai_assets.collector.config import CollectorConfig, Limits
from justai_assets.collector.folders import lock_journal
from justai_assets.collector.sealer import Sealer
from justai_assets.collector.serve import serve
from justai_assets.storage import Root

KEY, JOURNEY_KEY, SIGNING = "key-of-acme", "journey-key-of-acme", "signing-secret-of-acme"
SECRETS = {
    "ACME_KEY": KEY,
    "ACME_AUTHORIZATION": "user:password",
    "ACME_JOURNEY_KEY": JOURNEY_KEY,
    "ACME_CHAMELEON": SIGNING,
    "OTHER_KEY": "key-of-other",
}
JSON = {"content-type": "application/json"}
ACME = """
slug: acme
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: iterable_webhooks
custom: [journey_webhooks, chameleon_webhooks]
sources:
  iterable_webhooks: {api_key: env:ACME_KEY, authorization: env:ACME_AUTHORIZATION}
  journey_webhooks: {api_key: env:ACME_JOURNEY_KEY, events: {"290146": purchase}}
  chameleon_webhooks: {signing_secret: env:ACME_CHAMELEON}
"""
OTHER = """
slug: other
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: iterable_webhooks
sources:
  iterable_webhooks: {api_key: env:OTHER_KEY}
"""
OPEN = """
slug: open-org
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: iterable_webhooks
sources:
  iterable_webhooks: {allow_unauthenticated: true}
"""


def write_orgs(base: Path) -> Path:
    """Three org files."""
    folder = base / "orgs"
    folder.mkdir(parents=True, exist_ok=True)
    for slug, text in {"acme": ACME, "other": OTHER, "open-org": OPEN}.items():
        (folder / f"{slug}.yaml").write_text(text)
    return folder


def settings(base: Path, **changes: Any) -> CollectorConfig:
    """A configuration below a folder; names of limits go to the limits."""
    limits = {name: changes.pop(name) for name in list(changes) if name in Limits.__dataclass_fields__}
    endless = dict.fromkeys(("org_requests_per_second", "org_burst", "refused_per_second", "refused_burst"), 1e6)
    limits = {**endless, **limits}
    # A landing root is never made by the collector.
    (base / "landing").mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {
        "journal": base / "journal",
        "landing": str(base / "landing"),
        "orgs_dir": base / "orgs",
        "segment_seconds": 0.5,
        "min_free_bytes": 0,
        "access_log": "refused",
    }
    return CollectorConfig(**{**known, **changes}, limits=Limits(**limits))


def sign(body: bytes, secret: str = SIGNING) -> str:
    """What Chameleon sends as X-Chameleon-Signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def iterable_body(number: int = 0, **changes: Any) -> dict[str, Any]:
    """An Iterable event that differs from others by its number."""
    fields = {"createdAt": "2026-01-05 12:41:03 +00:00", "messageId": f"{number:032x}", "campaignId": 7, **changes}
    return {"email": "user1@example.com", "eventName": "emailOpen", "dataFields": fields}


def seal(config: CollectorConfig) -> None:
    """Bring the journal of a collector that has ended into the landing zone."""

    class Silent:
        def __getattr__(self, _: str) -> Any:
            return lambda *_, **__: None

    Sealer(config.journal, Root.parse(config.landing), lambda *_: None, Silent()).run_once()


def landed(root: Root | Path, prefix: str = "webhooks") -> list[dict[str, Any]]:
    """Every envelope below a prefix, with the key of its object."""
    found = []
    root = Root.parse(str(root)) if isinstance(root, Path) else root
    for one in root.list(prefix):
        content = zstandard.ZstdDecompressor().decompressobj().decompress(root.read(one.key))
        assert content.endswith(b"\n")
        found += [{**json.loads(line), "key": one.key} for line in content.decode().split("\n")[:-1]]
    return found


@asynccontextmanager
async def in_process(config: CollectorConfig, **clocks: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process; its journal is closed when the block ends."""
    lock = lock_journal(config.journal)
    app = create_app(config, **clocks)
    try:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
                yield client
    finally:
        os.close(lock)


@functools.cache
def http() -> httpx.Client:
    """A client for all tests: making one costs more than a request. Each request has a connection of its own."""
    return httpx.Client(headers={"connection": "close"}, timeout=20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Service:
    """A running collector."""

    config: CollectorConfig
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if http().get(f"{self.url}/readyz").status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError("the collector did not become ready")

    def metrics(self) -> dict[str, int]:
        """Every sample of /metrics, but for the histograms."""
        lines = http().get(f"{self.url}/metrics").text.splitlines()
        return {
            line.rpartition(" ")[0].removeprefix("justai_collector_"): int(float(line.rpartition(" ")[2]))
            for line in lines
            if not line.startswith("#") and "_seconds_" not in line
        }

    def wait_landed(self, seconds: float = 60.0) -> None:
        """Until nothing is left in the journal."""
        deadline = time.monotonic() + seconds
        while self.metrics()["journal_backlog_bytes"]:
            assert time.monotonic() < deadline, "the journal was not landed in time"
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 for every process of the service at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Nursery:
    """Starts services quickly."""

    def __init__(self, **environment: str) -> None:
        self._running: dict[int, Service] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "justai_assets_tests.collector.service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **SECRETS, **environment},
        )

    def start(self, config: CollectorConfig, *, workers: int = 1) -> Service:
        """Start a service and wait until it answers; it logs to `service.log` beside the org files' folder."""
        port = free_port()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        given = {name: getattr(config, name) for name in config.__dataclass_fields__}
        given |= {"journal": str(config.journal), "orgs_dir": str(config.orgs_dir)}
        given["limits"] = {name: getattr(config.limits, name) for name in config.limits.__dataclass_fields__}
        self._process.stdin.write(json.dumps({"config": given, "port": port, "workers": workers}))
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        service = Service(config, port, int(self._process.stdout.readline()))
        self._running[service.pid] = service
        service.wait_ready()
        return service

    def stop(self, service: Service) -> int:
        """SIGTERM, then the exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(service.pid, signal.SIGTERM)
        return self.reap(service)

    def reap(self, service: Service) -> int:
        """Wait for the service's main process, and give its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"reap": service.pid}) + "\n")
        self._process.stdin.flush()
        del self._running[service.pid]
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the nursery, and what a failed test left running."""
        assert self._process.stdin is not None
        for service in self._running.values():
            service.kill()
        # An order, not only the end of the pipe: a process that was forked from ours meanwhile holds the pipe open.
        self._process.stdin.write(json.dumps({"end": True}) + "\n")
        self._process.stdin.close()
        self._process.wait(timeout=30)


@contextmanager
def nursery(**environment: str) -> Iterator[Nursery]:
    """A nursery that ends with the block."""
    found = Nursery(**environment)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def served(starter: Nursery, config: CollectorConfig, *, workers: int = 1) -> Iterator[Service]:
    """A service from a nursery, stopped in good order when the block ends."""
    service = starter.start(config, workers=workers)
    try:
        yield service
    finally:
        code = starter.stop(service)
    assert code == 0, (config.orgs_dir.parent / "service.log").read_text()[-2000:]


@contextmanager
def running(config: CollectorConfig, *, workers: int = 1, **environment: str) -> Iterator[Service]:
    """One service, stopped in good order when the block ends."""
    with nursery(**environment) as found, served(found, config, workers=workers) as service:
        yield service


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def _serve(order: dict[str, Any]) -> None:
    os.setsid()
    given = order["config"]
    log = os.open(Path(given["orgs_dir"]).parent / "service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    given["limits"] = Limits(**given["limits"])
    given["only"] = tuple(given["only"]) if given["only"] else None
    config = CollectorConfig(**{**given, "journal": Path(given["journal"]), "orgs_dir": Path(given["orgs_dir"])})
    serve(config, host="127.0.0.1", port=order["port"], workers=order["workers"], drain_seconds=10)


def _main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "end" in order:
            return
        if "reap" in order:
            _, status = os.waitpid(order["reap"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        code = 1
        try:
            # The service must not read its orders from ours.
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            _serve(order)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


if __name__ == "__main__":
    _main()
