"""A store behind a proxy that takes a request and then loses the answer."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Loses = Callable[[str, str], bool]
"""Whether the answer to a request (method, path) is lost."""


@contextmanager
def lossy(target: str, loses: Loses, seen: list[tuple[str, str]]) -> Iterator[str]:
    """The address of a proxy in front of a server.

    Args:
        target: the server's address.
        loses: asked once a request, after the server has carried it out.
        seen: gets method and path of every request.
    """
    place = urlsplit(target)

    class Proxy(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # or an answer's body waits 40 ms until its head is acknowledged
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            seen.append((self.command, self.path))
            if loses(self.command, self.path):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815 - what http.server calls

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
