import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from justai_assets.landing.event_id import canonical
from justai_assets_tests.serving.exchanges import (
    CHAMELEON,
    ITERABLE,
    JOURNEY,
    NOW,
    UNDATED,
    exchange,
    iterable,
    strangers,
)
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


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/vnd.x+json;charset="utf-8"', None],
)
def test_json_by_any_of_its_names_is_taken(base: Path, content_type: str | None) -> None:
    headers = {"x-api-key": KEY} | ({"content-type": content_type} if content_type else {})
    (answer,), _, _ = exchange(base, [iterable(headers=headers)])
    assert answer.status_code == 202


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


def test_the_clock_of_the_caller_stamps_the_receipt(base: Path) -> None:
    async def scenario() -> None:
        async with in_process(settings(base), now=lambda: NOW + timedelta(days=400)) as client:
            await client.post(**iterable())

    run(scenario())
    seal(settings(base))
    assert landed(base / "landing")[0]["received_at"].startswith("2027-02-10T00:00:01")
