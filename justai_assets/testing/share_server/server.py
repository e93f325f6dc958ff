"""The server: tables, access, faults, and a thread that listens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

from justai_assets.testing.share_server.access import Access
from justai_assets.testing.share_server.faults import Fault, Faults, Kind, Where
from justai_assets.testing.share_server.handler import Handler
from justai_assets.testing.share_server.shared_tables import SharedTable


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class ShareServer:
    """A Delta Sharing server on a port of this machine.

    Attributes:
        requests: (what was asked for, path without query) of every request, in order; file requests name the file.
        ranges: the byte ranges that were asked for.
        access: credentials and signatures; move its clock to expire them.
        prefers: the response format given to a client that takes both.
        marks_the_end: False makes it a server that knows no endStreamAction.
        page_size: entries or files a page at most.
    """

    prefix = "/delta-sharing"

    def __init__(
        self,
        tables: Mapping[str, Path | SharedTable],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        url_seconds: float = 3600,
        token_seconds: float = 3600,
        page_size: int | None = None,
        prefers: str = "parquet",
        marks_the_end: bool = True,
    ) -> None:
        self.access = Access(clock, url_seconds=url_seconds, token_seconds=token_seconds)
        self.faults = Faults()
        self.page_size = page_size
        self.prefers = prefers
        self.marks_the_end = marks_the_end
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[tuple[int, int]] = []
        self._tables: dict[str, SharedTable] = {}
        for name, table in tables.items():
            self.offer(name, table)
        handler = type("BoundHandler", (Handler,), {"share": self})
        self._http = _Http((host, port), handler)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def offer(self, name: str, table: Path | SharedTable) -> SharedTable:
        """Share a table as share.schema.table."""
        if name.count(".") != 2:
            raise ValueError(f"{name!r} is not share.schema.table")
        self._tables[name] = table if isinstance(table, SharedTable) else SharedTable(table)
        return self._tables[name]

    def withdraw(self, name: str) -> None:
        """Share a table no longer."""
        del self._tables[name]

    def table(self, name: str) -> SharedTable | None:
        """Names are case-insensitive."""
        return next((table for own, table in self._tables.items() if own.lower() == name.lower()), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Every share.schema.table."""
        return tuple(self._tables)

    @property
    def url(self) -> str:
        """http://host:port."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def break_(self, where: Where, kind: Kind, **how: Any) -> None:
        """Set a fault; see `Fault`."""
        self.faults.add(Fault(where, kind, **how))

    def asked(self, where: str) -> list[str]:
        """Paths of the requests of one kind so far."""
        return [path for kind, path in self.requests if kind == where]

    def profile(self, kind: str = "v1", *, expiration: str | None = None) -> str:
        """The text of a credential file: v1, bearer_token, basic or oauth_client_credentials."""
        text: dict[str, object] = {"shareCredentialsVersion": 1 if kind == "v1" else 2}
        text["endpoint"] = f"{self.url}{self.prefix}"
        if kind != "v1":
            text["type"] = kind
        if kind in {"v1", "bearer_token"}:
            text["bearerToken"] = self.access.bearer
        elif kind == "basic":
            text |= {"username": self.access.username, "password": self.access.password}
        elif kind == "oauth_client_credentials":
            text |= {"tokenEndpoint": f"{self.url}/oauth/token", "clientId": self.access.client_id}
            text |= {"clientSecret": self.access.client_secret, "scope": "all-apis"}
        else:
            raise ValueError(f"no profile of kind {kind!r}")
        if expiration:
            text["expirationTime"] = expiration
        return json.dumps(text)

    def start(self) -> ShareServer:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def __enter__(self) -> ShareServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
