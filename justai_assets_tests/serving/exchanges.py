"""One request to a source, and its answer, for tests."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from justai_assets_tests.serving.service import (
    JOURNEY_KEY,
    JSON,
    KEY,
    in_process,
    iterable_body,
    landed,
    run,
    seal,
    settings,
    sign,
)

ITERABLE, JOURNEY, CHAMELEON = "/api/webhook/itbl/acme", "/api/webhook/events/acme", "/api/webhook/chameleon/acme"
NOW = datetime(2026, 1, 6, 0, 0, 1, 250, tzinfo=UTC)
UNDATED = "event_date=__HIVE_DEFAULT_PARTITION__"


def exchange(base: Path, requests: list[dict[str, Any]], **changes: Any) -> tuple[list[httpx.Response], list[Any], str]:
    """Send requests one after the other; the answers, what landed, and the metrics before the end."""

    async def scenario() -> tuple[list[httpx.Response], str]:
        async with in_process(settings(base, **changes), now=lambda: NOW) as client:
            answers = [await client.request(**{"method": "POST", **one}) for one in requests]
            return answers, (await client.get("/metrics")).text

    answers, metrics = run(scenario())
    seal(settings(base, **changes))
    return answers, landed(base / "landing"), metrics


def iterable(body: Any = None, **changes: Any) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body or iterable_body()).encode()
    return {"url": ITERABLE, "content": content, "headers": {**JSON, "x-api-key": KEY}, **changes}


def strangers() -> list[dict[str, Any]]:
    signed = json.dumps({"id": "1"}).encode()
    return [
        iterable(headers=JSON),
        iterable(headers={**JSON, "x-api-key": "wrong"}),
        iterable(headers={**JSON, "x-api-key": JOURNEY_KEY}),
        iterable(headers={**JSON, "x-api-key": "key-of-other"}),
        iterable(headers={**JSON, "authorization": "Bearer wrong"}),
        iterable(url="/api/webhook/itbl/no-such-org"),
        iterable(url="/api/webhook/itbl/ACME"),
        iterable(url="/api/webhook/itbl/acm%C3%A9"),
        iterable(url="/api/webhook/itbl/acme%00"),
        iterable(url="/api/webhook/itbl/" + "a" * 3000),
        {"url": JOURNEY, "json": {"a": 1}, "headers": {"authorization": f"Bearer {JOURNEY_KEY}"}},
        {"url": "/api/webhook/events/other", "json": {"a": 1}, "headers": {"x-api-key": "key-of-other"}},
        {"url": CHAMELEON, "content": signed, "headers": JSON},
        {"url": CHAMELEON, "content": signed, "headers": {**JSON, "x-chameleon-signature": sign(b"{}")}},
        {"url": CHAMELEON, "content": signed, "headers": {**JSON, "x-chameleon-signature": sign(signed, "wrong")}},
        {
            "url": "/api/webhook/chameleon/no-such-org",
            "content": signed,
            # The key of NOBODY stands in the source: knowing it must not help.
            "headers": {**JSON, "x-chameleon-signature": sign(signed, "no org")},
        },
        {"url": "/api/webhook/chameleon/other", "content": b"not json", "headers": {"x-chameleon-signature": "00"}},
    ]
