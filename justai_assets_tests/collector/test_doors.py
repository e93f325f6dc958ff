import asyncio
import base64
import gzip
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from justai_assets.landing.identity import canonical
from justai_assets_tests.collector.service import (
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


def test_an_iterable_event_lands_on_the_day_of_its_own_time_with_its_query(base: Path) -> None:
    body = iterable_body()
    (answer,), (envelope,), _ = exchange(base, [iterable(body, url=f"{ITERABLE}?campaignId=501")])
    assert answer.status_code == 202
    assert envelope == {
        "id": hashlib.sha256(canonical(body)).hexdigest(),
        "received_at": "2026-01-06T00:00:01.000250Z",
        "query": {"campaignId": "501"},
        "body": body,
        "key": envelope["key"],
    }
    assert answer.json() == {"id": envelope["id"]}
    assert envelope["key"].startswith("webhooks/iterable/acme/event_date=2026-01-05/")


def test_a_journey_event_lands_on_the_day_of_its_receipt_and_each_receipt_is_an_event(base: Path) -> None:
    one = {"url": JOURNEY, "json": {"email": "user1@example.com", "workflowId": "290146"}}
    answers, envelopes, _ = exchange(base, [{**one, "headers": {"x-api-key": JOURNEY_KEY}}] * 2)
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({envelope["id"] for envelope in envelopes}) == 2
    assert {answer.json()["id"] for answer in answers} == {envelope["id"] for envelope in envelopes}
    assert all(envelope["key"].startswith("webhooks/events/acme/event_date=2026-01-06/") for envelope in envelopes)


def test_a_chameleon_event_lands_under_its_own_id_on_the_day_it_was_sent(base: Path) -> None:
    content = json.dumps({"id": "5f3c", "sent_at": "2026-01-04T23:59:59.9Z", "kind": "ping"}, indent=1).encode()
    one = {"url": CHAMELEON, "content": content, "headers": {**JSON, "x-chameleon-signature": sign(content)}}
    (answer,), (envelope,), _ = exchange(base, [one])
    assert (answer.status_code, answer.json()) == (202, {"id": "5f3c"})
    assert envelope["id"] == "5f3c"
    assert envelope["key"].startswith("webhooks/chameleon/acme/event_date=2026-01-04/")


@pytest.mark.parametrize(
    "created", ["", "soon", "2025-12-31 23:59:59 +00:00", "2026-01-07 00:00:02 +00:00", None, 10**30]
)
def test_an_event_without_a_usable_time_is_accepted_among_the_undated(base: Path, created: Any) -> None:
    (answer,), (envelope,), metrics = exchange(base, [iterable(iterable_body(createdAt=created))])
    assert answer.status_code == 202
    assert UNDATED in envelope["key"]
    assert envelope["body"]["dataFields"]["createdAt"] == created
    assert 'fate="undated"} 1' in metrics


def test_a_redelivered_event_has_the_same_id_however_its_keys_are_ordered(base: Path) -> None:
    body = iterable_body()
    backwards = json.dumps(dict(reversed(body.items())), indent=2).encode()
    _, (first, second), _ = exchange(base, [iterable(body), iterable(backwards)])
    assert first["id"] == second["id"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic " + base64.b64encode(b"user:password").decode()},
        {"authorization": base64.b64encode(b"user:password").decode()},
        {"authorization": "Bearer user:password"},
        {"x-api-key": KEY, "authorization": "Bearer wrong"},
    ],
)
def test_iterable_is_known_by_its_authorization_too(base: Path, headers: dict[str, str]) -> None:
    (answer,), envelopes, _ = exchange(base, [iterable(headers={**JSON, **headers})])
    assert answer.status_code == 202
    assert "authenticated" not in envelopes[0]


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


def test_every_stranger_gets_the_same_answer_and_leaves_nothing(base: Path) -> None:
    answers, envelopes, metrics = exchange(base, strangers())
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b'{"error":"unauthorized"}')}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert envelopes == []
    counted = [line for line in metrics.splitlines() if 'fate="unauthorized"' in line]
    assert sum(int(line.rpartition(" ")[2]) for line in counted) == len(answers)
    assert "no-such-org" not in metrics


def test_an_open_door_takes_events_without_a_credential_marks_them_and_keeps_nothing_else(base: Path) -> None:
    requests = [
        iterable(url="/api/webhook/itbl/open-org?campaignId=1", headers=JSON),
        iterable(b"nonsense", url="/api/webhook/itbl/open-org", headers=JSON),
    ]
    answers, envelopes, metrics = exchange(base, requests)
    assert [answer.status_code for answer in answers] == [202, 400]
    assert [envelope["authenticated"] for envelope in envelopes] == [False]
    assert 'org="open-org",door="iterable_webhooks",fate="discarded"} 1' in metrics
    assert 'rejected_total{org="open-org",door="iterable_webhooks",reason="not_json"} 1' in metrics


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


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/vnd.x+json;charset="utf-8"', None],
)
def test_json_by_any_of_its_names_is_taken(base: Path, content_type: str | None) -> None:
    headers = {"x-api-key": KEY} | ({"content-type": content_type} if content_type else {})
    (answer,), _, _ = exchange(base, [iterable(headers=headers)])
    assert answer.status_code == 202


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


def test_query_parameters_are_kept_all_of_them(base: Path) -> None:
    queries = ["?a=1&a=2&b=%C3%A9+x&c=&d", "?campaignId=7", "?campaignId=", "?%ff=%00&a[1]=x", "?&&", "?"]
    _, envelopes, _ = exchange(base, [iterable(iterable_body(n), url=ITERABLE + q) for n, q in enumerate(queries)])
    by_number = {int(one["body"]["dataFields"]["messageId"], 16): one["query"] for one in envelopes}
    assert by_number == {
        0: {"a": "1", "a[1]": "2", "b": "é x", "c": "", "d": ""},
        1: {"campaignId": "7"},
        2: {"campaignId": ""},
        3: {"\ufffd": "\x00", "a[1]": "x"},
        4: {},
        5: {},
    }


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


def test_the_sum_of_fates_is_the_number_of_requests(base: Path) -> None:
    requests = [
        iterable(),
        iterable(b"{"),
        iterable(iterable_body(createdAt="")),
        *strangers(),
        {"method": "GET", "url": ITERABLE},
        {"method": "GET", "url": "/healthz"},
        {"method": "GET", "url": "/openapi.json"},
        {"url": "/healthz"},
        {"method": "GET", "url": "/"},
        {"url": "/api/webhook/itbl/"},
        {"url": "/api/webhook/itbl/acme/"},
        {"url": "/api/webhook/itbl/acme%2F..%2Fother"},
        {"url": "/api/webhook/itbl/..%2f..%2facme"},
    ]
    answers, _, metrics = exchange(base, requests)
    samples = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    fates = [int(value) for name, value in samples.items() if name.startswith("justai_collector_requests_total")]
    # The request for the metrics itself has arrived and has no fate yet.
    assert int(samples["justai_collector_received_total"]) == len(requests) + 1 == sum(fates) + 1
    assert samples["justai_collector_in_flight"] == "1"
    assert {answer.status_code for answer in answers} == {200, 202, 400, 401, 404, 405}
    count = sum(int(value) for name, value in samples.items() if "request_seconds_count" in name)
    assert count == len(requests)


def test_an_error_of_our_own_is_answered_without_its_text(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("user1@example.com")

    monkeypatch.setattr("justai_assets.collector.doors.envelope_line", broken)
    (answer,), envelopes, metrics = exchange(base, [iterable()])
    assert (answer.status_code, answer.content) == (500, b'{"error":"internal error"}')
    assert 'fate="failed"} 1' in metrics
    assert envelopes == []


def test_the_clock_of_the_caller_stamps_the_receipt(base: Path) -> None:
    async def scenario() -> None:
        async with in_process(settings(base), now=lambda: NOW + timedelta(days=400)) as client:
            await client.post(**iterable())

    run(scenario())
    seal(settings(base))
    assert landed(base / "landing")[0]["received_at"].startswith("2027-02-10T00:00:01")
