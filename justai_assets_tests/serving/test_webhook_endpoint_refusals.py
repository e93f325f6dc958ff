"""What a source answers to strangers, to what is no event, and when it cannot take any."""

import asyncio
import base64
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from justai_assets_tests.serving.exchanges import (
    CHAMELEON,
    ITERABLE,
    UNDATED,
    exchange,
    iterable,
    strangers,
)
from justai_assets_tests.serving.service import (
    JSON,
    KEY,
    in_process,
    iterable_body,
    run,
    settings,
    sign,
)


def test_every_stranger_gets_the_same_answer_and_leaves_nothing(base: Path) -> None:
    answers, envelopes, metrics = exchange(base, strangers())
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b'{"error":"unauthorized"}')}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert envelopes == []
    counted = [line for line in metrics.splitlines() if 'fate="unauthorized"' in line]
    assert sum(int(line.rpartition(" ")[2]) for line in counted) == len(answers)
    assert "no-such-org" not in metrics


BAD = [
    (b"", {}, 400, "empty"),
    (b"{", {}, 400, "not_json"),
    (b"[]", {}, 400, "not_an_object"),
    (b'{"a":1,"a":2}', {}, 400, "duplicate_key"),
    (b'{"a":"\\ud800"}', {}, 400, "lone_surrogate"),
    (b"\xff\xfe\x00", {}, 400, "invalid_utf8"),
    (b"[" * 5000, {}, 400, "too_deep"),
    (b'{"dataFields":5}', {}, 400, "bad_body"),
    (b'{"dataFields":{"a":[' + b"9" * 5000 + b"]}}", {}, 400, "number_out_of_range"),
    (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 415, "content_type"),
    (b"{}", {"content-type": "application/json; charset=utf-16"}, 415, "content_type"),
    (b"{}", {"content-type": "text/plain"}, 415, "content_type"),
    (gzip.compress(b"{}", mtime=0), {"content-encoding": "gzip"}, 415, "content_encoding"),
]


@pytest.mark.parametrize(("content", "headers", "status", "reason"), BAD)
def test_what_a_known_sender_sends_wrong_is_answered_4xx_and_kept_to_the_byte(
    base: Path, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    request = iterable(content, headers={**JSON, "x-api-key": KEY, **headers})
    (answer,), (envelope,), metrics = exchange(base, [request])
    assert (answer.status_code, answer.json()) == (status, {"error": reason})
    assert UNDATED in envelope["key"]
    assert base64.b64decode(envelope["body"]["raw_base64"]) == content
    assert {name: envelope["body"][name] for name in ("rejected", "status", "bytes", "truncated")} == {
        "rejected": reason,
        "status": status,
        "bytes": len(content),
        "truncated": False,
    }
    assert f'rejected_total{{org="acme",door="iterable_webhooks",reason="{reason}"}} 1' in metrics


def test_a_signed_body_that_is_no_event_is_kept_as_well(base: Path) -> None:
    headers = {**JSON, "x-chameleon-signature": sign(b"nonsense")}
    (answer,), (envelope,), _ = exchange(base, [{"url": CHAMELEON, "content": b"nonsense", "headers": headers}])
    assert answer.status_code == 400
    assert envelope["key"].startswith(f"webhooks/chameleon/acme/{UNDATED}/")


def test_a_body_that_is_too_large_is_refused_and_its_beginning_kept(base: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    large = {**iterable(), "content": b"y" * 2001}
    chunked = {**iterable(), "content": chunks()}
    exact = iterable(json.dumps(iterable_body(pad="")).encode().ljust(2000))
    answers, envelopes, _ = exchange(base, [large, chunked, exact], body_bytes=2000)
    assert [answer.status_code for answer in answers] == [413, 413, 202]
    rejected = [one["body"] for one in envelopes if "rejected" in one["body"]]
    assert [one["bytes"] for one in rejected] == [2001, 2100]
    assert [base64.b64decode(one["raw_base64"]) for one in rejected] == [b"", b"x" * 2100]
    assert [one["truncated"] for one in rejected] == [True, False]


def test_a_body_too_large_to_check_its_signature_is_not_kept(base: Path) -> None:
    content = b"y" * 2001
    known = {"url": CHAMELEON, "content": content, "headers": {**JSON, "x-chameleon-signature": sign(content)}}
    answers, envelopes, metrics = exchange(
        base, [known, {**known, "url": "/api/webhook/chameleon/no-such-org"}], body_bytes=2000
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(413, b'{"error":"body_too_large"}')}
    assert envelopes == []
    assert metrics.count('fate="unverifiable"} 1') == 2


def test_a_query_that_is_too_long_is_refused_and_its_beginning_kept(base: Path) -> None:
    (answer,), (envelope,), _ = exchange(base, [iterable(url=f"{ITERABLE}?campaignId=" + "1" * 5000)])
    assert answer.status_code == 414
    assert len(envelope["query"]["campaignId"]) == 4096 - len("campaignId=")


def test_an_org_that_sends_too_fast_is_told_when_to_come_back(base: Path) -> None:
    answers, envelopes, metrics = exchange(base, [iterable()] * 8, org_requests_per_second=0.5, org_burst=5)
    assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 3
    assert answers[-1].headers["retry-after"] in {"2", "3"}
    assert len(envelopes) == 5
    assert 'door="iterable_webhooks",fate="rate_limited"} 3' in metrics


def test_strangers_do_not_use_up_an_orgs_rate(base: Path) -> None:
    stranger = iterable(headers={**JSON, "x-api-key": "wrong"})
    content = b'{"id":"1"}'
    forged = {"url": CHAMELEON, "content": content, "headers": {**JSON, "x-chameleon-signature": "00"}}
    answers, _, _ = exchange(base, [stranger, forged] * 20 + [iterable()], org_requests_per_second=0.1, org_burst=1)
    assert answers[-1].status_code == 202


def test_with_a_full_disk_the_sender_is_asked_to_come_back(base: Path) -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        config = settings(base, min_free_bytes=1 << 60, retry_after_seconds=77)
        async with in_process(config) as client:
            return await client.post(**iterable()), await client.get("/readyz"), await client.get("/healthz")

    answer, ready, health = run(scenario())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "77")
    assert (ready.status_code, health.status_code) == (503, 200)


def test_a_broken_org_file_asks_the_sender_to_come_back(base: Path) -> None:
    (base / "orgs" / "typo.yaml").write_text("slug: [")
    urls = [f"/api/webhook/{door}/typo" for door in ("itbl", "events", "chameleon")]
    answers, _, metrics = exchange(base, [iterable(url=url) for url in urls], retry_after_seconds=55)
    assert {(one.status_code, one.headers["retry-after"]) for one in answers} == {(503, "56")}
    assert 'org="typo",door="iterable_webhooks",fate="unavailable"} 1' in metrics


def test_without_any_door_the_collector_is_not_ready_and_refuses_nobody_for_good(base: Path) -> None:
    shutil.rmtree(base / "orgs")
    requests = [iterable(), {"method": "GET", "url": "/readyz"}, {"method": "GET", "url": "/healthz"}]
    answers, _, metrics = exchange(base, requests)
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert "justai_collector_ready 0" in metrics
    assert 'org="",door="iterable_webhooks",fate="unavailable"} 1' in metrics


def test_a_body_that_does_not_come_is_given_up(base: Path) -> None:
    async def scenario() -> tuple[int, str, int]:
        async with in_process(settings(base, body_seconds=0.2)) as client:

            async def never() -> AsyncIterator[bytes]:
                yield b'{"a":'
                await asyncio.sleep(60)

            late = await client.post(**{**iterable(), "content": never()})
            again = await client.post(**iterable())
            return late.status_code, (await client.get("/metrics")).text, again.status_code

    late, metrics, again = run(scenario())
    assert (late, again) == (408, 202)
    assert 'fate="timed_out"} 1' in metrics


def test_an_error_of_our_own_is_answered_without_its_text(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("user1@example.com")

    monkeypatch.setattr("justai_assets.serving.webhook_endpoint.envelope_line", broken)
    (answer,), envelopes, metrics = exchange(base, [iterable()])
    assert (answer.status_code, answer.content) == (500, b'{"error":"internal error"}')
    assert 'fate="failed"} 1' in metrics
    assert envelopes == []
