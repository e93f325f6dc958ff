"""moto's S3 server in a process of its own, which can be started and killed again on the same port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from justai_assets_tests.serving.service import http

BUCKET = "landing"


@contextmanager
def s3_server(port: int) -> Iterator[str]:
    """An S3 server with an empty bucket; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        assert http().put(f"http://127.0.0.1:{port}/{BUCKET}").status_code == 200
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
