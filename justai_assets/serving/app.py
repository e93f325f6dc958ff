"""The ASGI application of one worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from justai_assets.serving.body_deadlines import Patience
from justai_assets.serving.body_memory import Memory
from justai_assets.serving.collector_config import CollectorConfig
from justai_assets.serving.connections import Connections
from justai_assets.serving.counters import SUFFIX, CounterReader, Counters
from justai_assets.serving.journal.journal_state import JournalState
from justai_assets.serving.journal.journal_writer import Journal
from justai_assets.serving.rate_limits import Rates
from justai_assets.serving.request_outcomes import Accounts
from justai_assets.serving.service_logs import access_sink, logger, writer
from justai_assets.serving.service_pages import Pages
from justai_assets.serving.source_directory import Directory
from justai_assets.serving.webhook_endpoint import DoorEndpoint
from justai_assets.serving.worker import Worker
from justai_assets.sources.registry import http_sources

PEER_SECONDS = 0.1
IDLE_LOOK_SECONDS = 2.0
_FATES = {0: "disconnected", 404: "not_found", 405: "method_not_allowed", 500: "failed"}


def utc_now() -> datetime:
    """The time a request is stamped with."""
    return datetime.now(UTC)


def create_app(
    config: CollectorConfig,
    *,
    now: Callable[[], datetime] = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The application of one worker; several processes may each run one over the same journal.

    It reads orgs and opens its journal when its lifespan starts. Sealing is another process's work (see `sealer`).

    Args:
        config: see CollectorConfig.
        now: the clock that receipts are stamped with.
        monotonic: the clock of durations and rates.
    """
    workers: list[Worker] = []

    def worker() -> Worker:
        return workers[0]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        workers[:] = [await _start(config, now, monotonic)]
        background = (
            _reload(worker()),
            _watch_peers(worker()),
            worker().patience.sweep(),
            _close_idle(worker()),
        )
        tasks = [asyncio.create_task(one) for one in background]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await worker().journal.close()
            worker().accounts.close()
            worker().state.close()
            writer().flush()

    pages = Pages(worker)
    endpoints = {f"{http.path}/": DoorEndpoint(name, http, worker) for name, http in http_sources().items()}
    routes = [Route(f"{path}{{org_slug}}", endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]
    routes += [
        Route("/healthz", pages.health),
        Route("/readyz", pages.ready),
        Route("/metrics", pages.metrics),
        Route("/openapi.json", pages.openapi),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Bookkeeping, worker, endpoints)])
    # A sender does not follow a redirect with its body; a wrong path is a wrong path.
    app.router.redirect_slashes = False
    return app


class Bookkeeping:
    """Middleware: counts every arrival, and gives a fate to each request that no door settled.

    A POST to a door goes there straight: routing by pattern would cost a fifth of what the door itself does. Every
    other request takes the routes, and so finds the same doors.
    """

    def __init__(self, app: ASGIApp, worker: Callable[[], Worker], doors: dict[str, DoorEndpoint]) -> None:
        self._app = app
        self._worker = worker
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        worker = self._worker()
        worker.accounts.arrived()
        if scope["method"] == "POST":
            place, _, slug = scope["path"].rpartition("/")
            door = self._doors.get(f"{place}/")
            if door is not None and slug:
                scope["path_params"] = {"org_slug": slug}
                await self._guarded(door, scope, receive, send)
                return
        await self._guarded(self._app, scope, receive, send)

    async def _guarded(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        worker = self._worker()
        begun = worker.monotonic()
        client = tuple(scope["client"]) if scope.get("client") else None
        worker.connections.begin(client)

        def settle(status: int) -> None:
            if scope.get("justai.settled"):
                return
            scope["justai.settled"] = True
            fate = _FATES.get(status, "page")
            worker.accounts.settle(
                fate,
                door="",
                org=None,
                reason="",
                status=status,
                size=0,
                seconds=worker.monotonic() - begun,
                at=worker.now().timestamp(),
            )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                settle(message["status"])
            await send(message)

        try:
            # A door settles by itself, before it sends.
            receiving = partial(worker.connections.receive, client, receive)
            await app(scope, receiving, send if isinstance(app, DoorEndpoint) else sending)
        except asyncio.CancelledError:
            settle(0)
            raise
        except Exception as error:
            # Only the kind and the place: the text of an exception may hold what a sender wrote.
            logger().error("request_failed", error=type(error).__name__, place=_place(error))
            settled = scope.get("justai.settled", False)
            settle(500)
            if not settled:
                body = b'{"error":"internal error"}'
                headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
                await send({"type": "http.response.start", "status": 500, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        finally:
            worker.connections.end(client)


def _place(error: Exception) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}"


async def _start(config: CollectorConfig, now: Callable[[], datetime], monotonic: Callable[[], float]) -> Worker:
    log = logger()

    def warn(event: str, facts: dict[str, str]) -> None:
        log.warning(event, **facts)

    directory = Directory(config.orgs_dir, config.only, warn)
    await asyncio.to_thread(directory.reload)

    def committed(records: int, size: int, seconds: float) -> None:
        counters.add("journal_commits")
        counters.add("journal_records", records)
        counters.add("journal_bytes", size)
        counters.add("journal_commit_microseconds", int(seconds * 1_000_000))

    journal = Journal(
        config.journal,
        segment_bytes=config.segment_bytes,
        segment_seconds=config.segment_seconds,
        min_free_bytes=config.min_free_bytes,
        on_commit=committed,
        on_trouble=lambda what, segment: log.error("journal_trouble", segment=segment, what=what),
    )
    counters = Counters.in_any_case(config.journal / "counters" / f"{journal.folder.name}{SUFFIX}")
    accounts = Accounts(
        counters,
        None if config.access_log == "none" else access_sink(),
        refused_only=config.access_log == "refused",
    )
    rates = Rates(config.limits.org_requests_per_second, config.limits.org_burst)
    with suppress(OSError, ValueError):
        # What the others admitted before this worker began is not charged; what they do from now on is.
        rates.charge_others(_admitted(_peers(counters.file, {}).values()), monotonic())
    if not directory:
        log.error("no_doors", orgs_dir=str(config.orgs_dir))
    log.info("worker_started", doors=len(directory), journal=journal.folder.name)
    patience = Patience(config.limits.body_seconds, monotonic)
    state = await asyncio.to_thread(
        JournalState, config.journal, lambda error: log.error("journal_not_looked_at", error=error)
    )
    memory, connections = Memory(config.limits), Connections(config.limits.connections_per_address, monotonic)
    refusals = Rates(config.limits.refused_per_second, config.limits.refused_burst)
    return Worker(
        config, directory, journal, rates, refusals, accounts, patience, now, monotonic, memory, state, connections
    )


async def _reload(worker: Worker) -> None:
    """Read orgs and secrets again, now and then; after a failure what is known stays, and it is tried again."""
    while True:
        await asyncio.sleep(worker.config.reload_seconds)
        try:
            await asyncio.to_thread(worker.directory.reload)
        except Exception as error:
            # A worker that ceased to read would keep a withdrawn key for ever, and nobody would know.
            logger().error("orgs_unreadable", error=type(error).__name__, place=_place(error))


async def _close_idle(worker: Worker) -> None:
    """Close what one address holds beyond its share of the connections."""
    while True:
        await asyncio.sleep(IDLE_LOOK_SECONDS)
        try:
            closed = await asyncio.to_thread(worker.connections.close_idle)
        except Exception as error:
            logger().error("connections_unreadable", error=type(error).__name__, place=_place(error))
            continue
        if closed:
            worker.accounts.counters.add("connections_closed", closed)


async def _watch_peers(worker: Worker) -> None:
    """Charge each org's rate with what the other workers admitted."""
    readers: dict[str, CounterReader] = {}
    own = worker.accounts.counters.file
    failing = False
    while True:
        await asyncio.sleep(PEER_SECONDS)
        writer().report_dropped(worker.accounts.counters.add)
        try:
            worker.rates.charge_others(_admitted(_peers(own, readers).values()), worker.monotonic())
        except Exception as error:
            # Without this look each worker would admit an org's whole rate, silently, until it ends.
            if not failing:
                logger().error("peers_unreadable", error=type(error).__name__, place=_place(error))
            failing = True
        else:
            failing = False


def _peers(own: Path, readers: dict[str, CounterReader]) -> dict[str, CounterReader]:
    """The readers of the other processes' counters, those that came since among them."""
    for file in own.parent.glob(f"*{SUFFIX}"):
        if file != own and file.name not in readers and file.stat().st_size:
            readers[file.name] = CounterReader(file)
    return readers


def _admitted(readers: Iterable[CounterReader]) -> Iterable[tuple[str, int]]:
    sums: dict[str, int] = {}
    for reader in readers:
        for key, value in reader.items("admitted|"):
            slug = key.partition("|")[2]
            sums[slug] = sums.get(slug, 0) + value
    return sums.items()
