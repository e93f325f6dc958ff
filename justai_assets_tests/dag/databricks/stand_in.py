"""A workspace for tests: Jobs, DBFS and Files API over real HTTP, with a "cluster" that does what the job would do.

The cluster reads the Pipes context where the submitted task says it lies, computes with the engine, replaces the days of
the Delta table by a predicate as `replaceWhere` does, and leaves messages. It checks nothing: tests look at `submitted`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl
from dagster_pipes import decode_param
from deltalake import write_deltalake

from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.spark.task import Task
from justai_assets.attribution.unified import unify_day
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS

TOKEN = "a-token-that-only-tests-know"


@dataclass
class StandIn:
    """The workspace.

    Attributes:
        results: how the next runs end: (life cycle, result, termination type, termination code); then SUCCESS.
        is_silent: the job reports nothing.
        is_away: the state of a run cannot be asked for, until one is cancelled.
        is_deaf: nor can a run be cancelled.
        options: with which the cluster reaches the lake.
        submitted: bodies of submit requests.
        tasks: what their extras say.
        cancelled: run ids.
        files: content by path, DBFS and volumes together.
        requests: method and path of each.
        when_looked_at: called when the state of a running run is asked for.
        when_submitted: called when a job begins, before it writes.
    """

    options: dict[str, str]
    results: list[tuple[str, str | None, str, str]] = field(default_factory=list)
    is_silent: bool = False
    is_away: bool = False
    is_deaf: bool = False
    submitted: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""
    when_looked_at: Callable[[], None] = lambda: None
    when_submitted: Callable[[], None] = lambda: None

    def page(self, run_id: int) -> str:
        return f"{self.url}/#job/1/run/{run_id}"

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        self.submitted.append(body)
        self.when_submitted()
        (task,) = body["tasks"]
        variables = (task.get("new_cluster") or {}).get("spark_env_vars")
        if variables:
            places = [variables["DAGSTER_PIPES_CONTEXT"], variables["DAGSTER_PIPES_MESSAGES"]]
        else:
            words = task["python_wheel_task"]["parameters"]
            places = [words[words.index(f"--dagster-pipes-{one}") + 1] for one in ("context", "messages")]
        context, messages = (decode_param(place)["path"] for place in places)
        asked = Task.of(json.loads(self.files[context])["extras"])
        self.tasks.append(asked)
        said = [{"method": "opened", "params": {"extras": {}}}]
        said += [{"method": "report_custom_message", "params": {"payload": one}} for one in self._work(asked)]
        said.append({"method": "closed", "params": {}})
        if not self.is_silent:
            lines = [json.dumps({"__dagster_pipes_version": "0.1", **one}) for one in said]
            self.files[f"{messages}/1.json"] = "\n".join(lines).encode()
        return {"run_id": len(self.submitted)}

    def _work(self, asked: Task) -> Iterator[dict[str, Any]]:
        rule = Rule(asked.window_hours, dict(asked.windows), asked.send_events)
        read = {
            name: pl.scan_delta(source.delta, version=source.version, storage_options=self.options or None).select(
                list(source.columns)
            )
            for name, source in asked.sources.items()
        }
        frames = []
        for day in Days(asked.lo, asked.hi):
            here = pl.col("event_date") == day
            if asked.table == ATTRIBUTED_EVENTS.name:
                near = pl.col("event_date").is_between(day - timedelta(days=3), day)
                engagement, custom = read["esp_events"].filter(near), read["custom_events"].filter(here)
                chunks = list(attribute_day(engagement, custom, day, rule))
                frame = pl.concat([ATTRIBUTED_EVENTS.schema.to_frame(), *chunks])
                reasons = dict(frame.group_by("reason").len().iter_rows())
            else:
                both = read["esp_events"].filter(here), read["attributed_events"].filter(here)
                frame = unify_day(*both).collect()
                reasons = {None: frame.height}
            frames.append(frame.select(list(asked.target.columns)))
            yield {
                "day": str(day),
                "rows": frame.height,
                "attributed": reasons.pop(None, 0),
                "reasons": reasons,
            }
        write_deltalake(
            asked.target.delta,
            pl.concat(frames).to_arrow(),
            mode="overwrite",
            predicate=f"event_date >= '{asked.lo}' AND event_date <= '{asked.hi}'",
            storage_options=self.options or None,
        )

    def run(self, run_id: int) -> dict[str, Any]:
        life, result, kind, code = ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS")
        if run_id in self.cancelled:
            life, result, kind, code = ("TERMINATED", "CANCELED", "SUCCESS", "USER_CANCELED")
        elif run_id <= len(self.results):
            life, found, kind, code = self.results[run_id - 1]
            result = found or ""
        if life == "RUNNING":
            self.when_looked_at()
        state = {"life_cycle_state": life, "state_message": "quotes jane@example.com"}
        if result:
            state["result_state"] = result
        details = {"termination_details": {"type": kind, "code": code}} if kind else {}
        return {
            "run_id": run_id,
            "state": state,
            "status": {"state": life, **details},
            "run_page_url": self.page(run_id),
        }


class _Handler(BaseHTTPRequestHandler):
    place: StandIn
    disable_nagle_algorithm = True  # or the body of an answer waits 40 ms until its head is acknowledged
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: Any = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), {key: value[0] for key, value in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.place.requests.append(f"{self.command} {path}")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(403, {"error_code": "PERMISSION_DENIED", "message": "no such token"})
            return
        is_json = (self.headers.get("Content-Type") or "").startswith("application/json")
        body = json.loads(raw) if raw and is_json else {}
        self._answer(*self._route(path, {**query, **body}, raw))

    def _route(self, path: str, asked: dict[str, Any], raw: bytes) -> tuple[int, Any]:
        place, files = self.place, self.place.files
        missing = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such file"})
        away = (503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "away"})
        _, _, api = path.removeprefix("/api/").partition("/")
        match self.command, api:
            case "POST", "jobs/runs/submit":
                return 200, place.submit(asked)
            case "GET", "jobs/runs/get" if place.is_away:
                return away
            case "GET", "jobs/runs/get":
                return 200, place.run(int(asked["run_id"]))
            case "POST", "jobs/runs/cancel" if place.is_deaf:
                return away
            case "POST", "jobs/runs/cancel":
                place.is_away = False
                place.cancelled.append(int(asked["run_id"]))
                return 200, {}
            case "GET", "clusters/get":
                return 200, {"cluster_id": asked["cluster_id"]}
            case "POST", "dbfs/mkdirs":
                return 200, {}
            case "POST", "dbfs/put":
                files[asked["path"]] = base64.b64decode(asked["contents"])
                return 200, {}
            case "GET", "dbfs/get-status":
                return 200, {"path": asked["path"], "is_dir": True}
            case "GET", "dbfs/read":
                found = files.get(asked["path"])
                return missing if found is None else (200, {"data": base64.b64encode(found).decode()})
            case "POST", "dbfs/delete":
                for one in [one for one in files if one.startswith(f"{asked['path']}/")]:
                    del files[one]
                return 200, {}
        kind, _, below = api.removeprefix("fs/").partition("/")
        key = f"/{below.strip('/')}"
        match self.command, kind:
            case "PUT", "directories":
                return 204, b""
            case "PUT", "files":
                files[key] = raw
                return 204, b""
            case "GET", "files":
                return (200, files[key]) if key in files else missing
            case "DELETE", "files":
                return (204, b"") if files.pop(key, None) is not None else missing
            case "GET", "directories":
                found = [{"path": one, "name": one.rpartition("/")[2], "is_directory": False}
                         for one in files if one.startswith(f"{key}/")]  # fmt: skip
                return 200, {"contents": found}
            case "DELETE", "directories":
                return 204, b""
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"{self.command} {path}"}

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle  # noqa: N815 - what http.server calls


@contextmanager
def workspace(options: dict[str, str]) -> Iterator[StandIn]:
    """A running workspace; `url` is its address."""
    place = StandIn(options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"place": place}))
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
