"""How the service starts, refuses to start, and ends."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from starlette.applications import Starlette

from benchmarks.http_load import post, run_load
from justai_assets.contract.errors import StorageError
from justai_assets.serving.collector_config import CollectorError
from justai_assets.serving.http_server import SPARE_DESCRIPTORS, ensure_descriptors, require_free, run_granian, serve
from justai_assets_tests.serving.nursery import Nursery, nursery, served
from justai_assets_tests.serving.sends import PATH, send
from justai_assets_tests.serving.service import KEY, free_port, iterable_body, landed, settings, write_orgs


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


def test_a_second_collector_on_the_same_journal_is_refused(
    tmp_path: Path, starter: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.serving import http_server as module
    from justai_assets.serving.collector_config import CollectorError

    write_orgs(tmp_path)
    monkeypatch.setattr(module, "PREDECESSOR_SECONDS", 0.1)
    with served(starter, settings(tmp_path)) as service:
        with pytest.raises(CollectorError, match="another collector"):
            module.serve(service.config, host="127.0.0.1", port=service.port, workers=1)
        assert send(service, 1).status_code == 202


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
    from justai_assets.serving.collector_config import CollectorError
    from justai_assets.serving.http_server import serve

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
