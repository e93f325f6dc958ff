"""Ten thousand requests that nobody should send: no 5xx, no traceback, no file outside the org's prefix."""

import json
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from justai_assets.serving.openapi import document
from justai_assets.sources.registry import http_sources
from justai_assets_tests.landing.test_event_id import JSON_VALUES
from justai_assets_tests.serving.nursery import running
from justai_assets_tests.serving.service import (
    JOURNEY_KEY,
    JSON,
    KEY,
    http,
    iterable_body,
    landed,
    settings,
    sign,
    write_orgs,
)

EXAMPLES = 1_000
MUTANTS = 9
ANSWERS = {200, 202, 400, 401, 404, 405, 413, 414, 415, 429}
ODD_SLUGS = """acme other open-org .. . %2e%2e ..%2fother acme%2f..%2fother acme%00 %00 acme%0a é %C3%A9 acme%5c.. ACME
acme. acme%20 -acme acme;x acme%ff %252e%252e acme/x acme// ／"""
SLUGS = st.sampled_from([*ODD_SLUGS.split(), "a" * 64, "acme "]) | st.text(max_size=12)
DOORS = st.sampled_from(["itbl", "events", "chameleon", "itbl/", "generate", "..", "%2e%2e", ""])
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["id", "sent_at", "dataFields", "email", "eventName", "kind"]), JSON_VALUES).map(
        lambda value: json.dumps(value).encode()
    ),
    st.builds(
        lambda created, number: json.dumps(iterable_body(number, createdAt=created)).encode(),
        JSON_VALUES | st.sampled_from(["2026-01-05 12:41:03 +00:00", "9999-12-31 23:59:59 -14:00", "../../x"]),
        st.integers(0, 1 << 64),
    ),
    st.sampled_from([b"[" * 3000, b'{"a":' * 900, b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b"\x00" * 2000, b" " * 5000]),
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-api-key", "authorization", "content-type", "content-encoding", "x-chameleon-signature", "x-y"]),
    st.sampled_from([KEY, JOURNEY_KEY, "Bearer x", "user:password", "application/json", "text/plain", "gzip", "00", ""])
    | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20),
    max_size=5,
)
REQUESTS = st.tuples(
    st.sampled_from(["POST"] * 8 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    DOORS,
    SLUGS,
    st.sampled_from(["", "?campaignId=1", "?%ff=%00&&=", "?" + "a" * 5000]) | st.text(max_size=10).map("?".__add__),
    HEADERS,
    BODIES,
    st.integers(0, 1 << 32),
)  # fmt: skip


def check_landing(base: Path, journal: Path) -> None:
    """Only org prefixes hold anything, every line can be read, and nothing else was written."""
    allowed = {
        f"webhooks/{door}/{org}" for door, org in [("iterable", "acme"), ("events", "acme"), ("chameleon", "acme")]
    }
    allowed |= {"webhooks/iterable/other", "webhooks/iterable/open-org"}
    for envelope in landed(base / "landing"):
        assert "/".join(envelope["key"].split("/")[:3]) in allowed
        assert isinstance(envelope["body"], dict)
    known = {"landing", "journal", "orgs", "service.log"}
    assert {path.name for path in base.iterdir()} <= known
    own = {"lock", "sealer.lock", "workers", "counters", "damaged"}
    assert {path.name for path in journal.iterdir()} - {"sealer.work"} == own


class _Wire:
    """A kept connection that writes what no HTTP library would."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body)]
        head += [name + b": " + value for name, value in headers]
        content = b"\r\n".join([*head, b"", b""]) + body
        for attempt in (1, 2):
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            try:
                self._socket.sendall(content)
            except ConnectionError:
                self._socket = None
                continue
            answer = self._answer(self._socket, method)
            if answer is not None:
                return answer
            # The server closes a connection whose last request was not HTTP; the next one needs a new one.
            self._socket = None
            assert attempt == 1, "no answer on a fresh connection"
        raise AssertionError("no connection")

    def _answer(self, connection: socket.socket, method: str) -> tuple[int, bytes] | None:
        buffer = b""
        try:
            while b"\r\n\r\n" not in buffer:
                chunk = connection.recv(65536)
                if not chunk:
                    return None
                buffer += chunk
            head, _, body = buffer.partition(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
                self._socket = None if name == b"connection" and b"close" in value else self._socket
            while len(body) < length and method != "HEAD":
                body += connection.recv(65536)
        except ConnectionError:
            return None
        return int(head[9:12]), body


@pytest.mark.slow
def test_ten_thousand_odd_requests_get_an_answer_in_4xx_and_stay_in_their_place(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path)
    seen: Counter[int] = Counter()
    with running(config) as service:
        wire = _Wire(service.port)

        @given(REQUESTS)
        @examples(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def one(request: tuple[str, str, str, str, dict[str, str], bytes, int]) -> None:
            method, door, slug, query, headers, drawn, seed = request
            for body in [drawn, *_mutants(drawn, seed)]:
                if seed % 3:
                    # A random sender is a stranger; two thirds of these know a door and its credential.
                    method, slug, door = "POST", "acme", ("itbl", "events", "chameleon")[seed % 7 % 3]
                    name, value = {
                        "itbl": ("x-api-key", KEY),
                        "events": ("x-api-key", JOURNEY_KEY),
                        "chameleon": ("x-chameleon-signature", sign(body)),
                    }[door]
                    kind = {} if seed % 5 == 0 else {"content-type": "application/json", "content-encoding": "identity"}
                    headers = {**headers, **kind, name: value}
                raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
                status, answer = wire.exchange(method, _raw(f"/api/webhook/{door}/{slug}{query}"), raw, body)
                seen[status] += 1
                assert status in ANSWERS
                assert len(answer) < 400
                assert b"Traceback" not in answer

        one()
        metrics = service.metrics()
        assert not [name for name in metrics if 'fate="failed"' in name]
        fates = sum(value for name, value in metrics.items() if name.startswith("requests_total"))
        assert metrics["received_total"] == fates + metrics["in_flight"]
    assert "Traceback" not in (tmp_path / "service.log").read_text()
    check_landing(tmp_path, config.journal)
    assert sum(seen.values()) >= 10_000
    assert min(seen[status] for status in (202, 400, 401, 404, 405, 415)) > 20, seen


def _mutants(body: bytes, seed: int) -> list[bytes]:
    """The body cut, with bytes changed, and with a part of it repeated, several times over."""
    chance = random.Random(seed)
    found: list[bytes] = []
    while len(found) < MUTANTS:
        at, to = sorted(chance.randrange(len(body) + 1) for _ in range(2))
        changed = bytearray(body)
        for _ in range(min(3, len(body))):
            changed[chance.randrange(len(body))] = chance.choice(b'{}[]",:\\\0\xff 1eu')
        found += [body[:to], bytes(changed), body[:to] + body[at:]]
    return found


def _raw(target: str) -> bytes:
    """A request target: what may not stand in one is escaped, and what is escaped already stays."""
    plain = range(ord("!"), ord("~") + 1)
    return b"".join(bytes([byte]) if byte in plain else b"%%%02x" % byte for byte in target.encode())


GARBAGE = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"POST /api/webhook/itbl/acme HTTP/9.9\r\n\r\n",
    b"POST  HTTP/1.1\r\n\r\n",
    b"POST /api/webhook/itbl/../../etc HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/webhook/itbl/acme HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/webhook/itbl/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST /api/webhook/itbl/acme HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /api/webhook/itbl/acme HTTP/1.1\r\nHost: x\r\nX-Api-Key: "
    + KEY.encode()
    + b"\r\nContent-Length: 99\r\n\r\n{",
    b"POST /api/webhook/itbl/acme HTTP/1.1\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    b"GET " + b"/a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /api/webhook/itbl/\xff\xfe HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"POST http://elsewhere/api/webhook/itbl/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"CONNECT acme:443 HTTP/1.1\r\nHost: acme\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def _send(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(0.3)
        answer = b""
        try:
            connection.sendall(content)
            while chunk := connection.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionError):
            return answer
        return answer


@pytest.mark.slow
def test_garbage_on_the_wire_harms_nobody(tmp_path: Path) -> None:
    import schemathesis

    write_orgs(tmp_path)
    config = settings(tmp_path, body_seconds=0.5)
    with running(config) as service:
        chance = random.Random(7)
        for content in GARBAGE:
            assert _send(service.port, content)[9:10] in {b"", b"4"}, content[:60]
            cut = chance.randrange(1, min(len(content), 100))
            assert _send(service.port, content[:cut])[9:10] in {b"", b"4"}, content[:cut]
        headers = {**JSON, "x-api-key": KEY}
        good = http().post(f"{service.url}/api/webhook/itbl/acme", json=iterable_body(), headers=headers)
        assert good.status_code == 202
        _conforms(schemathesis.openapi.from_dict(document()), service.url)
        assert http().get(f"{service.url}/readyz").status_code == 200
        metrics = service.metrics()
        fates = sum(value for name, value in metrics.items() if name.startswith("requests_total"))
        assert metrics["received_total"] == fates + metrics["in_flight"]
        assert not [name for name in metrics if 'fate="failed"' in name]
    assert "Traceback" not in (tmp_path / "service.log").read_text()
    check_landing(tmp_path, config.journal)


def _conforms(schema: Any, url: str) -> None:
    """Every answer of the running service is one that its OpenAPI document describes."""
    http = http_sources()
    keys = {
        f"{http[name].path}/{{org_slug}}": key
        for name, key in (("iterable_webhooks", KEY), ("journey_webhooks", JOURNEY_KEY))
    }
    sent = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @examples(
            max_examples=80, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        def check(case: Any) -> None:
            nonlocal sent
            if case.operation.path in keys:
                case.headers = {**(case.headers or {}), "X-Api-Key": keys[case.operation.path]}
                case.path_parameters = {"org_slug": "acme"}
            answer = case.call(base_url=url)
            case.validate_response(answer, excluded_checks=[])
            assert answer.status_code < 500
            sent += 1

        check()
    assert sent > 200
