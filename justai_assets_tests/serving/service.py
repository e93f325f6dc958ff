"""A collector for tests: its orgs, its events, one in this process, and what a running service answers."""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import zstandard

from justai_assets.serving.app import create_app
from justai_assets.serving.collector_config import CollectorConfig, Limits
from justai_assets.serving.journal.journal_folders import lock_journal
from justai_assets.serving.journal.sealer import Sealer
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


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)
