"""Two webhooks through the real HTTP doors, as Iterable and a Journey post them: a send, and a purchase after it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from justai_assets.contract.errors import JustAIError
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.sample_orgs import PURCHASE_WORKFLOW, WEBHOOK_ORG

START_SECONDS = 60.0
KEY_FILE = f"{WEBHOOK_ORG}-api-key"
PERSON = "curl@example.com"
OWN_PORT = 8080
"""Where `justai collect` listens when it is not told otherwise."""


@dataclass(frozen=True)
class Posted:
    """What was posted and acknowledged.

    Attributes:
        url: the Journey door.
        body: the purchase, as sent.
        message_id: the message that the send named; the purchase names none, and is to be attributed to it.
    """

    url: str
    body: str
    message_id: str

    def curl(self) -> str:
        """The same request for a shell that sourced the demo's env, at the port `justai collect` takes by itself."""
        url = f"http://127.0.0.1:{OWN_PORT}{urlsplit(self.url).path}"
        headers = "-H \"X-Api-Key: $ACME_API_KEY\" -H 'Content-Type: application/json'"
        return f"curl {url} {headers} -d '{self.body}'"


def post_through_doors(place: DemoPlace) -> Posted:
    """Start `justai collect` on the demo, post both, and stop it; both are in the landing zone then.

    Raises:
        JustAIError: the doors did not open, or did not take what was posted.
    """
    message_id = secrets.token_hex(16)
    sent = (datetime.now(UTC) - timedelta(seconds=2)).strftime("%Y-%m-%d %H:%M:%S +00:00")
    fields = {"email": PERSON, "createdAt": sent, "campaignId": 9001, "templateId": 501, "messageId": message_id}
    send = {"email": PERSON, "eventName": "emailSend", "dataFields": fields}
    purchase = json.dumps({"email": PERSON, "workflowId": PURCHASE_WORKFLOW})
    with _doors(place) as base:
        url = f"{base}/api/webhook/events/{WEBHOOK_ORG}"
        _post(place, f"{base}/api/webhook/itbl/{WEBHOOK_ORG}?campaignId=9001", json.dumps(send))
        _post(place, url, purchase)
    return Posted(url, purchase, message_id)


@contextmanager
def _doors(place: DemoPlace) -> Iterator[str]:
    """The address of `justai collect`, which serves while the block runs and has landed everything after it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from justai_assets.cli import main; main()", "collect", "--port", str(port)]
    log = place.home / "collect.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [*command, "--journal", str(place.home / "journal")],
            env={**os.environ, **place.environment()},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_ready(base, process)
        yield base
    finally:
        process.terminate()
        code = process.wait(timeout=60)
    if code:
        raise JustAIError(f"justai collect ended with {code}", code="demo_collector_ended", mend=f"look at {log}")


def _wait_until_ready(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{base}/readyz", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # nobody listens yet
        time.sleep(0.1)
    raise JustAIError(
        f"justai collect was not ready within {START_SECONDS:.0f} s",
        code="demo_collector_slow",
        mend="look at collect.log there",
    )


def _post(place: DemoPlace, url: str, body: str) -> None:
    key = place.secret_file(KEY_FILE).read_text(encoding="utf-8")
    headers = {"X-Api-Key": key, "Content-Type": "application/json"}
    answer = httpx.post(url, content=body, headers=headers, timeout=30)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise JustAIError(
            f"{url} answered {answer.status_code}",
            code="demo_post_refused",
            mend="look at collect.log in the demo's folder",
        )
