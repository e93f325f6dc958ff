"""The real service in processes of its own, for tests: a nursery starts them quickly.

Run as a module this is the nursery: it reads one JSON configuration a line, forks a service for it, and prints its
process id. Forking saves the imports, so that a test can start a service dozens of times.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from justai_assets.serving.collector_config import CollectorConfig, Limits
from justai_assets.serving.http_server import serve
from justai_assets_tests.serving.service import SECRETS, Service, free_port


class Nursery:
    """Starts services quickly."""

    def __init__(self, **environment: str) -> None:
        self._running: dict[int, Service] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "justai_assets_tests.serving.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **SECRETS, **environment},
        )

    def start(self, config: CollectorConfig, *, workers: int = 1) -> Service:
        """Start a service and wait until it answers; it logs to `service.log` beside the org files' folder."""
        port = free_port()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        given = {name: getattr(config, name) for name in config.__dataclass_fields__}
        given |= {"journal": str(config.journal), "orgs_dir": str(config.orgs_dir)}
        given["limits"] = {name: getattr(config.limits, name) for name in config.limits.__dataclass_fields__}
        self._process.stdin.write(json.dumps({"config": given, "port": port, "workers": workers}))
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        service = Service(config, port, int(self._process.stdout.readline()))
        self._running[service.pid] = service
        service.wait_ready()
        return service

    def stop(self, service: Service) -> int:
        """SIGTERM, then the exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(service.pid, signal.SIGTERM)
        return self.reap(service)

    def reap(self, service: Service) -> int:
        """Wait for the service's main process, and give its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"reap": service.pid}) + "\n")
        self._process.stdin.flush()
        del self._running[service.pid]
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the nursery, and what a failed test left running."""
        assert self._process.stdin is not None
        for service in self._running.values():
            service.kill()
        # An order, not only the end of the pipe: a process that was forked from ours meanwhile holds the pipe open.
        self._process.stdin.write(json.dumps({"end": True}) + "\n")
        self._process.stdin.close()
        self._process.wait(timeout=30)


@contextmanager
def nursery(**environment: str) -> Iterator[Nursery]:
    """A nursery that ends with the block."""
    found = Nursery(**environment)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def served(starter: Nursery, config: CollectorConfig, *, workers: int = 1) -> Iterator[Service]:
    """A service from a nursery, stopped in good order when the block ends."""
    service = starter.start(config, workers=workers)
    try:
        yield service
    finally:
        code = starter.stop(service)
    assert code == 0, (config.orgs_dir.parent / "service.log").read_text()[-2000:]


@contextmanager
def running(config: CollectorConfig, *, workers: int = 1, **environment: str) -> Iterator[Service]:
    """One service, stopped in good order when the block ends."""
    with nursery(**environment) as found, served(found, config, workers=workers) as service:
        yield service


def _serve(order: dict[str, Any]) -> None:
    os.setsid()
    given = order["config"]
    log = os.open(Path(given["orgs_dir"]).parent / "service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    given["limits"] = Limits(**given["limits"])
    given["only"] = tuple(given["only"]) if given["only"] else None
    config = CollectorConfig(**{**given, "journal": Path(given["journal"]), "orgs_dir": Path(given["orgs_dir"])})
    serve(config, host="127.0.0.1", port=order["port"], workers=order["workers"], drain_seconds=10)


def _main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "end" in order:
            return
        if "reap" in order:
            _, status = os.waitpid(order["reap"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        code = 1
        try:
            # The service must not read its orders from ours.
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            _serve(order)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


if __name__ == "__main__":
    _main()
