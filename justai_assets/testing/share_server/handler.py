"""One request: authorise, route, answer, misbehave when told to."""

from __future__ import annotations

import base64
import json
import re
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from justai_assets.testing.share_server.faults import Fault
from justai_assets.testing.share_server.ndjson import Capabilities, change_lines, head, page_of, query_lines
from justai_assets.testing.share_server.shared_tables import SharedTable

if TYPE_CHECKING:
    from justai_assets.testing.share_server.server import ShareServer

_TABLE = re.compile(r"/shares/([^/]+)/schemas/([^/]+)/tables/([^/]+)/(version|metadata|query|changes)")
_FILE = re.compile(r"/files/([^/]+)/(.+)")
_CAPABILITIES = "delta-sharing-capabilities"


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Handler(BaseHTTPRequestHandler):
    """One request of the protocol, answered, or spoiled by the fault that strikes it."""

    disable_nagle_algorithm = True  # or the body of an answer waits 40 ms until its head is acknowledged
    protocol_version = "HTTP/1.1"
    share: ShareServer  # set by the server on a subclass of its own

    def do_GET(self) -> None:
        """Answer."""
        self._respond()

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names of http.server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines hold signatures."""

    def _respond(self) -> None:
        parts = urlsplit(self.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.query = dict(parse_qsl(parts.query))
        try:
            self._route(parts.path)
        except RefusedError as refused:
            self._send_json({"errorCode": str(refused.status), "message": refused.message}, refused.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path: str) -> None:
        if path == "/oauth/token":
            self._note("token", path)
            self._token()
            return
        if match := _FILE.fullmatch(path):
            self._file(path, match[1], match[2])
            return
        if not path.startswith(self.share.prefix):
            raise RefusedError(404, "no such path")
        path = unquote(path.removeprefix(self.share.prefix))
        match = _TABLE.fullmatch(path)
        where = match[4] if match else "shares"
        self._note(where, path)
        if not self.share.access.allows(self.headers.get("Authorization", "")):
            raise RefusedError(401, "The bearer token is missing or incorrect.")
        fault = self._strike(where)
        if match is None:
            self._send_json(self._listing(path))
            return
        name = f"{match[1]}.{match[2]}.{match[3]}".lower()
        table = self.share.table(name)
        if table is None:
            raise RefusedError(404, f"table '{match[1]}/{match[2]}/{match[3]}' not found")
        getattr(self, f"_{where}")(name, table, fault)

    def _note(self, where: str, path: str) -> None:
        self.share.requests.append((where, path))

    def _strike(self, where: str) -> Fault | None:
        fault = self.share.faults.strike(where)
        if fault is None:
            return None
        if fault.kind == "status":
            raise RefusedError(fault.status, self._said(fault))
        if fault.kind == "throttle":
            body = {"errorCode": "RESOURCE_EXHAUSTED", "message": self._said(fault)}
            self._send_json(body, 429, {"Retry-After": f"{fault.seconds:g}"})
            raise BrokenPipeError
        return fault

    def _said(self, fault: Fault) -> str:
        return fault.message.replace("{authorization}", self.headers.get("Authorization", ""))

    # -- what is offered ---------------------------------------------------------------------------------------------

    def _listing(self, path: str) -> dict[str, Any]:
        names = [name.split(".") for name in self.share.names]
        if path == "/shares":
            return self._page([{"name": one} for one in sorted({name[0] for name in names})])
        if match := re.fullmatch(r"/shares/([^/]+)", path):
            if match[1] not in {name[0] for name in names}:
                raise RefusedError(404, "share not found")
            return {"share": {"name": match[1]}}
        if match := re.fullmatch(r"/shares/([^/]+)/schemas", path):
            schemas = sorted({name[1] for name in names if name[0] == match[1]})
            return self._page([{"name": one, "share": match[1]} for one in schemas])
        if match := re.fullmatch(r"/shares/([^/]+)/(?:schemas/([^/]+)/tables|all-tables)", path):
            found = [name for name in names if name[0] == match[1] and match[2] in (None, name[1])]
            return self._page([{"name": name[2], "schema": name[1], "share": name[0]} for name in sorted(found)])
        raise RefusedError(404, "no such path")

    def _page(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        start = self._number("pageToken", 0)
        size = self._number("maxResults", self.share.page_size or 500)
        page: dict[str, Any] = {"items": items[start : start + size]}
        if start + size < len(items):
            page["nextPageToken"] = str(start + size)
        return page

    # -- a table -----------------------------------------------------------------------------------------------------

    def _version(self, _name: str, table: SharedTable, fault: Fault | None) -> None:
        self._send(b"", {"Delta-Table-Version": str(table.version())}, fault=fault)

    def _metadata(self, _name: str, table: SharedTable, fault: Fault | None) -> None:
        snapshot = table.snapshot()
        capabilities = Capabilities.parse(self.headers.get(_CAPABILITIES, ""))
        form = capabilities.choose(snapshot, self.share.prefers) or "delta"
        self._send_lines(head(snapshot, form), snapshot.version, form, capabilities, {}, fault)

    def _query(self, name: str, table: SharedTable, fault: Fault | None) -> None:
        try:
            body = json.loads(self.body or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise RefusedError(400, "the body is not a JSON object")
        at = body.get("version")
        for token in (body.get("refreshToken"), body.get("pageToken")):
            if token:
                at = self._version_in(token)
        if body.get("version") is not None and table.is_view:
            raise RefusedError(400, "a view cannot be queried at a version")
        snapshot = table.snapshot(at)
        capabilities = Capabilities.parse(self.headers.get(_CAPABILITIES, ""))
        form = capabilities.choose(snapshot, self.share.prefers)
        if form is None:
            raise RefusedError(
                400, "DS_UNSUPPORTED_DELTA_TABLE_FEATURES: deletionVectors is not supported by the client"
            )
        lines, end = query_lines(snapshot, body, form, self._signer(name), self.share.page_size)
        self._send_lines(lines, snapshot.version, form, capabilities, end, fault)

    def _changes(self, name: str, table: SharedTable, fault: Fault | None) -> None:
        fed = table.snapshot().metadata["configuration"].get("delta.enableChangeDataFeed") == "true"
        if table.is_view or not fed:
            raise RefusedError(400, "cdf is not enabled on the table")
        first = self._number("startingVersion", 0)
        last = self._number("endingVersion", table.version())
        capabilities = Capabilities.parse(self.headers.get(_CAPABILITIES, ""))
        form = self.share.prefers if self.share.prefers in capabilities.formats else capabilities.formats[0]
        lines = change_lines(table, first, last, form, self._signer(name))
        top, files = lines[:2], lines[2:]
        start, end = self._number("pageToken", 0), {}
        is_page = "pageToken" in self.query
        size = page_of(self.share.page_size, self._number("maxFiles", 0), len(files), is_page=is_page)
        if start + size < len(files):
            end["nextPageToken"] = str(start + size)
        self._send_lines([*top, *files[start : start + size]], first, form, capabilities, end, fault)

    @staticmethod
    def _version_in(token: str) -> int:
        try:
            return int(json.loads(base64.b64decode(token))["version"])
        except (ValueError, KeyError, TypeError):
            raise RefusedError(400, "the token is none of ours") from None

    def _number(self, name: str, otherwise: int) -> int:
        said = self.query.get(name, "")
        if said and not said.isdigit():
            raise RefusedError(400, f"{name} is not a number")
        return int(said) if said else otherwise

    def _signer(self, name: str) -> Any:
        def sign(path: str) -> tuple[str, int]:
            signed, expires = self.share.access.sign(f"/files/{name}/{quote(path)}")
            return self.share.url + signed, expires

        return sign

    def _send_lines(
        self, lines: list[Any], version: int, form: str, said: Capabilities, end: dict[str, Any], fault: Fault | None
    ) -> None:
        kind = fault.kind if fault else ""
        if kind == "truncate":
            lines = lines[: max(2, len(lines) // 2)]
        elif kind == "error_line" and fault:
            failed = {"errorMessage": self._said(fault), "httpStatusErrorCode": fault.status}
            lines = [*lines[: max(2, len(lines) // 2)], {"endStreamAction": failed}]
        elif said.wants_end and self.share.marks_the_end and kind != "no_end":
            lines = [*lines, {"endStreamAction": end}]
        capabilities = f"responseformat={form}"
        if said.wants_end and self.share.marks_the_end:
            capabilities += ";includeendstreamaction=true"
        headers = {
            "Content-Type": "application/x-ndjson; charset=utf-8",
            "Delta-Table-Version": str(version),
            _CAPABILITIES: capabilities,
        }
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self._send(body, headers, fault=fault)

    # -- files and tokens --------------------------------------------------------------------------------------------

    def _file(self, path: str, name: str, inner: str) -> None:
        inner = unquote(inner)
        self._note("files", inner)
        if self.headers.get("Authorization"):
            raise RefusedError(400, "a pre-signed address takes no Authorization header")
        if not self.share.access.honours(
            path, self.query.get("X-Amz-Expires", ""), self.query.get("X-Amz-Signature", "")
        ):
            raise RefusedError(403, "Request has expired")
        fault = self._strike("files")
        table = self.share.table(name)
        local = table.local(inner) if table else None
        if local is None or not local.is_file():
            raise RefusedError(404, "NoSuchKey")
        data = local.read_bytes()
        if fault and fault.kind == "corrupt":
            data = data[:4] + bytes(byte ^ 0xA5 for byte in data[4:-8]) + data[-8:]
        elif fault and fault.kind == "damage":
            footer = int.from_bytes(data[-8:-4], "little") + 8
            data = data[:4] + bytes(byte ^ 0xA5 for byte in data[4:-footer]) + data[-footer:]
        elif fault and fault.kind == "short":
            data = data[: len(data) // 2]
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or (fault and fault.kind == "short"):
            self._send(data, headers, fault=fault)
            return
        total = len(data)
        first = int(asked[1]) if asked[1] else max(0, total - int(asked[2]))
        last = min(int(asked[2]), total - 1) if asked[1] and asked[2] else total - 1
        if first >= total:
            raise RefusedError(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        self.share.ranges.append((first, last))
        self._send(data[first : last + 1], headers, 206, fault=fault)

    def _token(self) -> None:
        self._strike("token")
        form = dict(parse_qsl(self.body.decode()))
        token = self.share.access.issue(self.headers.get("Authorization", ""))
        if form.get("grant_type") != "client_credentials":
            raise RefusedError(400, "unsupported_grant_type")
        if token is None:
            raise RefusedError(401, "invalid_client")
        seconds = int(self.share.access.token_seconds)
        self._send_json({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    # -- bytes -------------------------------------------------------------------------------------------------------

    def _send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._send(body, {"Content-Type": "application/json", **(headers or {})}, status)

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200, fault: Fault | None = None) -> None:
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.kind == "hang_up":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
        elif fault and fault.kind == "slow":
            for offset in range(len(body)):
                time.sleep(fault.seconds)
                self.wfile.write(body[offset : offset + 1])
        else:
            self.wfile.write(body)
