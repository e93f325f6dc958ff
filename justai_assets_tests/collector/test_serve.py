import asyncio
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.applications import Starlette

from justai_assets.bench.http_load import post, run_load
from justai_assets.collector.config import CollectorError
from justai_assets.collector.serve import SPARE_DESCRIPTORS, ensure_descriptors, require_free, run_granian, serve
from justai_assets.contract.errors import StorageError
from justai_assets_tests.collector.service import (
    JSON,
    KEY,
    Nursery,
    Service,
    free_port,
    http,
    iterable_body,
    landed,
    nursery,
    served,
    settings,
    write_orgs,
)

PATH = "/api/webhook/itbl/acme"
HEADERS = {**JSON, "x-api-key": KEY}


def send(service: Service, number: int, key: str = KEY) -> httpx.Response:
    headers = {**JSON, "x-api-key": key}
    return http().post(f"{service.url}{PATH}", json=iterable_body(number), headers=headers)


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


def test_a_stop_under_load_answers_what_is_under_way_and_lands_it(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    acknowledged: list[str] = []

    def answered(_: int, status: int, body: bytes) -> None:
        if status == 202:
            acknowledged.append(json.loads(body)["id"])

    def request(number: int) -> bytes:
        return post(PATH, {"X-Api-Key": KEY}, json.dumps(iterable_body(number)).encode())

    service = starter.start(settings(tmp_path))
    load = threading.Thread(
        target=run_load,
        args=(("127.0.0.1", service.port), request),
        kwargs={"connections": 16, "seconds": 1.5, "on_answer": answered},
    )
    load.start()
    time.sleep(0.7)
    assert starter.stop(service) == 0
    load.join()
    counts = Counter(envelope["id"] for envelope in landed(tmp_path / "landing"))
    assert len(acknowledged) > 50
    assert [one for one in acknowledged if counts[one] != 1] == []
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


def test_a_second_collector_on_the_same_journal_is_refused(
    tmp_path: Path, starter: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.collector import serve as module
    from justai_assets.collector.config import CollectorError

    write_orgs(tmp_path)
    monkeypatch.setattr(module, "PREDECESSOR_SECONDS", 0.1)
    with served(starter, settings(tmp_path)) as service:
        with pytest.raises(CollectorError, match="another collector"):
            module.serve(service.config, host="127.0.0.1", port=service.port, workers=1)
        assert send(service, 1).status_code == 202


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


def test_workers_and_sealer_leave_when_their_parent_is_killed(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    service = starter.start(settings(tmp_path))
    assert send(service, 1).status_code == 202
    children = psutil.Process(service.pid).children(recursive=True)
    os.kill(service.pid, signal.SIGKILL)
    starter.reap(service)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []
    assert len(landed(tmp_path / "landing")) == 1


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


@pytest.mark.parametrize(
    ("soft", "hard", "raised"), [(1024, 4096, 1024 + SPARE_DESCRIPTORS), (1024, -1, 1024 + SPARE_DESCRIPTORS),
                                 (8192, 8192, None), (-1, -1, None)]
)  # fmt: skip
def test_the_limit_of_open_files_is_raised_to_what_connections_need(
    soft: int, hard: int, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    ensure_descriptors(1024)
    assert given == ([] if raised is None else [(raised, hard)])


def test_with_too_few_open_files_the_collector_says_so_instead_of_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.collector.config import CollectorError
    from justai_assets.collector.serve import serve

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    with pytest.raises(CollectorError, match=r"1280 open files.*allows 1024.*--connections 768"):
        serve(settings(tmp_path), host="127.0.0.1", port=1, workers=1)
    assert not (tmp_path / "journal").exists()


def test_a_second_collector_on_the_same_port_and_impossible_ports_are_clear_errors(
    tmp_path: Path, starter: Nursery
) -> None:
    write_orgs(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with served(starter, settings(tmp_path)) as service:
        config = dataclasses.replace(service.config, journal=other / "journal")
        with pytest.raises(CollectorError, match=f"cannot listen on 127.0.0.1:{service.port}: Address already in use"):
            serve(config, host="127.0.0.1", port=service.port, workers=1)
    for host, port in (("127.0.0.1", 99_999), ("192.0.2.1", 8080), ("no.such.host.invalid", 8080)):
        with pytest.raises(CollectorError, match=r"is no port|cannot listen on") as caught:
            require_free(host, port)
        assert caught.value.mend


def test_a_landing_root_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path, landing=str(tmp_path / "not-mounted"))
    with pytest.raises(StorageError, match="there is no folder"):
        serve(config, host="127.0.0.1", port=free_port(), workers=1)
    assert not (tmp_path / "not-mounted").exists()


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


def test_a_clean_stop_says_nothing_of_killed_workers(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    with served(starter, settings(tmp_path), workers=2) as service:
        send(service, 1)
    said = (tmp_path / "service.log").read_text()
    assert "worker_killed" not in said
    assert "Killing" not in said


def _slow_to_start(folder: Path) -> Any:
    """An application whose worker says that it is loading, and takes two seconds to load and one to start."""
    (folder / f"{os.getpid()}.loading").touch()
    time.sleep(2)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        (folder / f"{os.getpid()}.starting").touch()
        await asyncio.sleep(1)
        yield

    return Starlette(lifespan=lifespan)


@pytest.mark.parametrize("stage", ["loading", "starting"])
@pytest.mark.parametrize("times", [1, 3])
def test_workers_that_are_told_to_end_before_they_serve_end(tmp_path: Path, stage: str, times: int) -> None:
    """The first signal was lost while loading; the second before serving blocked the worker for ever."""
    process = multiprocessing.get_context("spawn").Process(
        target=run_granian,
        args=(functools.partial(_slow_to_start, tmp_path), settings(tmp_path)),
        kwargs={"host": "127.0.0.1", "port": free_port(), "workers": 2},
    )
    process.start()
    _wait_for(tmp_path, stage, 2)
    workers = psutil.Process(process.pid).children()
    for _ in range(times):
        # As an init system does: to every process of the service.
        for one in [*workers, process]:
            with contextlib.suppress(ProcessLookupError):  # it has ended by the one before
                os.kill(one.pid or 0, signal.SIGTERM)
        time.sleep(0.1)
    process.join(10)
    _, alive = psutil.wait_procs(workers, timeout=0)
    for one in [*alive, process]:
        one.kill()
    assert process.exitcode == 0
    assert alive == []


def test_workers_whose_parent_is_killed_before_they_serve_end(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=run_granian,
        args=(functools.partial(_slow_to_start, tmp_path), settings(tmp_path)),
        kwargs={"host": "127.0.0.1", "port": free_port(), "workers": 2},
    )
    process.start()
    _wait_for(tmp_path, "loading", 2)
    workers = psutil.Process(process.pid).children()
    process.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    for one in alive:
        one.kill()
    assert alive == []


def _wait_for(folder: Path, stage: str, workers: int) -> None:
    deadline = time.monotonic() + 30
    while len(list(folder.glob(f"*.{stage}"))) < workers:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_nursery_ends_while_a_forked_process_holds_its_pipe() -> None:
    with nursery():
        forked = os.fork()
        if not forked:
            time.sleep(60)
            os._exit(0)
    os.kill(forked, signal.SIGKILL)
    os.waitpid(forked, 0)
