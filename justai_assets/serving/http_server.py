"""Running the doors: Granian's workers in front, the sealer beside them."""

from __future__ import annotations

import copy
import errno
import math
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from justai_assets.landing.listing import LANDING
from justai_assets.serving.app import create_app
from justai_assets.serving.collector_config import CollectorConfig, CollectorError
from justai_assets.serving.counters import SUFFIX, PatientCounters
from justai_assets.serving.journal.journal_folders import lock_journal
from justai_assets.serving.journal.sealer import run_sealer
from justai_assets.serving.journal.sealer_deaths import count_death
from justai_assets.serving.service_logs import SERVER_LOGGING, QueuedStderr, logger, queue_everything, writer
from justai_assets.storage import Root

ENDING = (signal.SIGTERM, signal.SIGINT)
PARENT_CHECK_SECONDS = 1.0
REMIND_SECONDS = 0.2
"""How long a worker that was told to end has until it is told again."""

PREDECESSOR_SECONDS = 20.0
"""Workers that outlive their killed parent notice it and answer what is under way before they leave."""


SPARE_DESCRIPTORS = 256
"""What a worker opens besides its connections: its journal, counters of all processes, the interpreter's own."""


def ensure_descriptors(connections: int) -> None:
    """Raise this process's limit of open files to what the connections of a worker need; its workers inherit it.

    With fewer, connections that do nothing would leave no descriptor for the next journal segment.

    Raises:
        CollectorError: the system does not allow that many.
    """
    needed = connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CollectorError(
            f"{connections} connections a worker need {needed} open files, and the system allows {hard}",
            mend=f"raise the limit (ulimit -Hn, LimitNOFILE) or give --connections {max(1, hard - SPARE_DESCRIPTORS)}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def serve(config: CollectorConfig, *, host: str, port: int, workers: int, drain_seconds: float = 30.0) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way, land what is in the journal, and return.

    SIGHUP replaces the workers one after the other, which reads org files and secrets anew. A worker that dies is
    replaced; its journal is taken over.

    Args:
        config: see CollectorConfig.
        host: address to listen on.
        port: port to listen on.
        workers: processes that answer requests.
        drain_seconds: how long to wait at the end for a landing zone that refuses.

    Raises:
        CollectorError: another collector uses the journal, its folder cannot be written, or the system allows fewer
            open files than the connections need.
        SystemExit: with a code other than 0 when the workers could not be kept alive.
    """
    ensure_descriptors(config.limits.connections)
    Root.parse(config.landing).require(LANDING)
    journal = config.journal.resolve()
    lock = lock_journal(journal, wait_seconds=PREDECESSOR_SECONDS)
    try:
        require_free(host, port)
        for old in (journal / "counters").iterdir():
            old.unlink()
        with redirect_stderr(QueuedStderr()):
            keeper = _SealerKeeper(journal, config.landing, drain_seconds)
            try:
                run_granian(partial(create_app, config), config, host=host, port=port, workers=workers)
            finally:
                keeper.stop()
    finally:
        os.close(lock)
        writer().flush()


def run_granian(make_app: Callable[[], Any], config: CollectorConfig, *, host: str, port: int, workers: int) -> None:
    """Run an ASGI application under the collector's settings: HTTP/1.1 only, the proxy in front ends TLS and HTTP/2."""
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    limits = config.limits
    server = _server_class()(
        "justai_assets.serving",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        backpressure=limits.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(limits.head_seconds * 1000), max_buffer_size=limits.header_bytes
        ),
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
        log_dictconfig=copy.deepcopy(SERVER_LOGGING),
        workers_kill_timeout=int(limits.body_seconds) + 15,
    )
    try:
        server.serve(target_loader=partial(_in_worker, make_app, os.getpid()), wrap_loader=False)
    finally:
        # It ends now, and has to land what is there. An init system may tell it so again until it is gone; Python
        # itself would die of that as soon as it takes its handlers down.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _server_class() -> Any:
    """The server, with an end of workers that loses no request to end and kills nobody who is gone.

    A worker that has just been forked still has the handlers of its parent, and what it is told then is lost. A worker
    is therefore told again until it ends.
    """
    from granian.server import Server

    def spawn_worker(server: Any, *given: Any, **named: Any) -> Any:
        one = Server._spawn_worker(server, *given, **named)
        # What the server calls after it told a worker to end, to make place for another.
        setattr(one, "join", lambda timeout=None: _await_end([one], timeout))  # noqa: B010 - mypy: a method
        return one

    def stop_workers(server: Any) -> None:
        for one in server.wrks:
            one.terminate()
        for one in _await_end(server.wrks, server.workers_kill_timeout):
            logger().warning("worker_killed", worker=one.idx + 1)
            one.kill()
            one.inner.join()
        server.wrks.clear()

    return type("CollectorServer", (Server,), {"_spawn_worker": spawn_worker, "_stop_workers": stop_workers})


def _await_end(workers: Iterable[Any], seconds: float | None) -> list[Any]:
    """Tell workers to end until they do, for so long (None: for ever); those that are left."""
    deadline = time.monotonic() + (math.inf if seconds is None else seconds)
    while (left := [one for one in workers if not _has_ended(one)]) and time.monotonic() < deadline:
        left[0].inner.join(REMIND_SECONDS)
        for one in left:
            one.terminate()
    return left


def _has_ended(worker: Any) -> bool:
    """Whether a worker's process is gone, whoever was told so.

    A thread of the server waits for the same process. Where that one is told of its end, the server's own question
    finds nothing and takes the worker for alive.
    """
    if not worker.is_alive():
        return True
    try:
        os.kill(worker.inner.pid, 0)
    except ProcessLookupError:
        return True
    return False


def require_free(host: str, port: int) -> None:
    """That nobody listens where the collector is to.

    The workers share their port, so that a second collector on it would start, and each would get some of the requests.

    Raises:
        CollectorError: the port is taken, may not be used, or is none.
    """
    where = f"{host}:{port}"
    if not 0 < port < 65_536:
        raise CollectorError(f"{port} is no port", mend="give --port a number from 1 to 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror:
        raise CollectorError(f"cannot listen on {where}: no such host", mend="give --host an address here") from None
    except OSError as error:
        mend = {
            errno.EADDRINUSE: "stop whoever listens there, or give another --port",
            errno.EACCES: "ports below 1024 need a privilege; give another --port",
        }.get(error.errno or 0, "give --host and --port of this machine")
        raise CollectorError(f"cannot listen on {where}: {os.strerror(error.errno or 0)}", mend=mend) from None


def _in_worker(make_app: Callable[[], Any], parent: int) -> Any:
    """In a worker: its application, and a thread that ends it in good order when it is told to or its parent is gone.

    The server's own handlers lose a signal that comes before its event loop runs, and block for ever at the second one
    before it serves. Here signals stay blocked, a thread waits for them, and the server is told once.
    """
    from granian import _signals
    from granian._granian import WorkerSignal

    def listen(_: Any) -> Any:
        told = WorkerSignal()

        def watch() -> None:
            while os.getppid() == parent and signal.sigtimedwait(ENDING, PARENT_CHECK_SECONDS) is None:
                pass
            told.set()

        threading.Thread(target=watch, name="end-watch", daemon=True).start()
        return told

    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    queue_everything()
    _signals.set_loop_signals = listen
    return make_app()


class _SealerKeeper:
    """Keeps one sealer process alive until `stop`.

    It is spawned, not forked: the landing zone's client has threads of its own, which a fork would not bring along.
    """

    def __init__(self, journal: Path, landing: str, drain_seconds: float) -> None:
        self._journal = journal
        self._landing = landing
        self._drain_seconds = drain_seconds
        self._stopping = threading.Event()
        self._process, self._doors = self._start()
        self._thread = threading.Thread(target=self._watch, name="sealer-watch", daemon=True)
        self._thread.start()

    def _start(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(
            target=run_sealer,
            args=(self._journal, self._landing, self._drain_seconds, reader),
            name="justai-sealer",
        )
        process.start()
        reader.close()
        return process, writer

    def _watch(self) -> None:
        counters = PatientCounters(self._journal / "counters" / f"keeper-{os.getpid()}{SUFFIX}")
        while not self._stopping.wait(0.5):
            writer().report_dropped(counters.add)
            if not self._process.is_alive():
                count_death(self._journal)
                logger().error("sealer_died", exit_code=self._process.exitcode)
                self._stopping.wait(2.0)  # not faster than it can fail
                if not self._stopping.is_set():
                    self._doors.close()
                    self._process, self._doors = self._start()

    def stop(self) -> None:
        """Tell the sealer that the workers are gone, and wait until it has landed what it can."""
        self._stopping.set()
        self._thread.join()
        if not self._ended_well():
            # It died, perhaps of a signal to all processes before it could ignore it: another one drains.
            self._process, self._doors = self._start()
            self._ended_well()

    def _ended_well(self) -> bool:
        self._doors.close()
        self._process.join(self._drain_seconds + 30)
        if self._process.is_alive():
            # Stuck in a call to the landing zone; repeating its work later is safe.
            logger().error("sealer_stuck")
            self._process.kill()
            self._process.join()
            return True
        return self._process.exitcode == 0
