import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.http_load import post, run_load
from justai_assets_tests.serving.nursery import Nursery, served
from justai_assets_tests.serving.sends import HEADERS, PATH, send
from justai_assets_tests.serving.service import JSON, KEY, http, iterable_body, landed, settings, write_orgs


def test_events_reach_the_landing_zone_while_the_service_runs_and_when_it_stops(
    tmp_path: Path, starter: Nursery
) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path), workers=2) as service:
        answers = [send(service, number) for number in range(20)]
        assert {answer.status_code for answer in answers} == {202}
        service.wait_landed()
        assert len(landed(tmp_path / "landing")) == 20
        assert [send(service, number).status_code for number in range(20, 30)] == [202] * 10
    ids = Counter(envelope["id"] for envelope in landed(tmp_path / "landing"))
    assert len(ids) == 30
    assert set(ids.values()) == {1}
    assert list((tmp_path / "journal" / "workers").iterdir()) == []


def test_workers_answer_with_the_counters_of_all(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path), workers=2) as service:
        for number in range(30):  # each on a connection of its own, so that both workers get some
            send(service, number)
        seen = {
            service.metrics()['requests_total{org="acme",door="iterable_webhooks",fate="accepted"}'] for _ in range(10)
        }
        assert seen == {30}
        files = list((tmp_path / "journal" / "counters").glob("0*.counts"))
        assert len(files) == 2


def test_a_rate_holds_over_all_workers(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path, org_requests_per_second=20.0, org_burst=20.0), workers=2) as service:
        content = post(PATH, {"X-Api-Key": KEY}, json.dumps(iterable_body()).encode())
        found = run_load(("127.0.0.1", service.port), lambda _: content, connections=16, seconds=3.0, per_second=400)
        # Between two looks at each other both workers may admit; a burst each is the most that can be.
        assert 20 * found.seconds * 0.8 <= found.statuses[202] <= 20 * found.seconds + 40
        assert found.statuses[429] > 500


def test_sighup_reads_secrets_anew_without_losing_a_request(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    secret = tmp_path / "key"
    secret.write_text("first")
    other = tmp_path / "orgs" / "other.yaml"
    other.write_text(other.read_text().replace("env:OTHER_KEY", f"file:{secret}"))
    url = "/api/webhook/itbl/other"
    with served(starter, settings(tmp_path, reload_seconds=3600.0)) as service:

        def status(key: str) -> int:
            return http().post(f"{service.url}{url}", json={}, headers={**JSON, "x-api-key": key}).status_code

        assert (status("first"), status("second")) == (202, 401)
        secret.write_text("second")
        assert status("second") == 401
        os.kill(service.pid, signal.SIGHUP)
        deadline = time.monotonic() + 20
        # Old and new worker answer side by side for a moment.
        while any(status("first") != 401 for _ in range(20)) and time.monotonic() < deadline:
            assert send(service, 1).status_code == 202
            time.sleep(0.05)
        assert (status("first"), status("second")) == (401, 202)


def test_secrets_are_read_anew_by_themselves(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    secret = tmp_path / "key"
    secret.write_text("first")
    other = tmp_path / "orgs" / "other.yaml"
    other.write_text(other.read_text().replace("env:OTHER_KEY", f"file:{secret}"))
    with served(starter, settings(tmp_path, reload_seconds=0.1)) as service:
        secret.write_text("second")
        deadline = time.monotonic() + 10
        status = 0
        while status != 202 and time.monotonic() < deadline:
            headers = {**JSON, "x-api-key": "second"}
            status = http().post(f"{service.url}/api/webhook/itbl/other", json={}, headers=headers).status_code
        assert status == 202


@pytest.mark.serial
def test_slow_and_vanishing_senders_hold_nobody_up(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with (
        served(starter, settings(tmp_path, body_seconds=1.0, head_seconds=1.0)) as service,
        contextlib.ExitStack() as stack,
    ):
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n".encode()
        body = b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"

        def connect(content: bytes) -> socket.socket:
            found = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
            found.sendall(content)
            return found

        heads = [connect(head) for _ in range(50)]
        bodies = [connect(head + body) for _ in range(50)]
        for _ in range(10):
            connect(head + body).close()
        begun = time.monotonic()
        assert send(service, 1).status_code == 202
        assert time.monotonic() - begun < 1
        for found in bodies:
            assert b" 408 " in found.recv(65536)
        for found in heads:  # the server answers or closes: either way it does not wait for ever
            assert b" 2" not in found.recv(65536)[:13]
        # A body that trickles in is measured as a whole, not by its pauses.
        slow = connect(head + body)
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                slow.sendall(b" ")
                time.sleep(0.1)
        assert b" 408 " in slow.recv(65536)
        deadline = time.monotonic() + 10
        while service.metrics()["in_flight"] > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        metrics = service.metrics()
        assert metrics["in_flight"] == 1
        assert metrics['requests_total{org="acme",door="iterable_webhooks",fate="timed_out"}'] == 51
        assert metrics['requests_total{org="acme",door="iterable_webhooks",fate="disconnected"}'] == 10


def test_a_head_that_is_too_large_is_answered_by_the_server(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path, header_bytes=8192)) as service:
        large = http().post(f"{service.url}{PATH}", json={}, headers={**HEADERS, "x-large": "y" * 20_000})
        assert large.status_code == 431
        assert send(service, 1).status_code == 202


@pytest.mark.serial
def test_one_orgs_flood_does_not_delay_anothers_events(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path, org_requests_per_second=100.0, org_burst=100.0, access_log="none")
    with served(starter, config) as service:
        address = ("127.0.0.1", service.port)
        flood = threading.Thread(
            target=run_load,
            args=(address, lambda n: post(PATH, {"X-Api-Key": KEY}, json.dumps(iterable_body(n)).encode())),
            kwargs={"connections": 64, "seconds": 3.0},
        )
        flood.start()
        time.sleep(1.5)  # the burst is used up
        other = run_load(
            address,
            lambda n: post(
                "/api/webhook/itbl/other", {"X-Api-Key": "key-of-other"}, json.dumps(iterable_body(n)).encode()
            ),
            connections=4,
            seconds=1.0,
            per_second=50,
        )
        flood.join()
        metrics = service.metrics()
    assert metrics['requests_total{org="acme",door="iterable_webhooks",fate="rate_limited"}'] > 100
    assert set(other.statuses) == {202}
    assert other.percentile(0.9) < 0.5


def test_logs_hold_no_personal_data_and_no_secret(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path, access_log="all")) as service:
        send(service, 1)
        send(service, 1, key="wrong-key")
        http().post(f"{service.url}/api/webhook/itbl/user1@example.com?email=user1@example.com", json={"a": 1})
        http().get(f"{service.url}/user1@example.com", headers={"user-agent": "agent-of-user1"})
    log = (tmp_path / "service.log").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    requests = [entry for entry in entries if entry["event"] == "request"]
    fates = Counter(entry["fate"] for entry in requests)
    assert (fates["accepted"], fates["unauthorized"], fates["not_found"]) == (1, 2, 1)
    allowed = {"event", "at", "fate", "status", "door", "org", "reason", "bytes", "ms"}
    assert all(set(entry) <= allowed for entry in requests)
    for secret in ("user1", "example.com", "127.0.0.1", KEY, "wrong-key", "agent"):
        assert secret not in log


def test_landing_objects_are_for_their_owner_alone(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path)) as service:
        assert send(service, 1).status_code == 202
        service.wait_landed()
        (found,) = (tmp_path / "landing").rglob("*.zst")
        assert found.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("chunk", [b"zz\r\nabc\r\n", b"5\r\nab", b"-1\r\n", b"ffffffffffffffff\r\nx\r\n"])
def test_a_malformed_chunk_is_the_senders_mistake(tmp_path: Path, starter: Nursery, chunk: bytes) -> None:
    write_orgs(tmp_path)
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    )
    with served(starter, settings(tmp_path, body_seconds=1.0)) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(head.encode() + chunk)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").read()
        assert not answer or answer.split()[1].startswith(b"4"), answer[:200]
        assert not [name for name in service.metrics() if 'fate="failed"' in name]
