import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from justai_assets.contract.errors import TransientStorageError
from justai_assets.serving.journal.journal_folders import worker_folders
from justai_assets.serving.journal.sealer import Sealer
from justai_assets.serving.journal.uploads import PATIENT_SECONDS
from justai_assets.storage import Root
from justai_assets_tests.serving.sealers import Log
from justai_assets_tests.serving.segments import RECORDS, written


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], threading.Event]]:
    """S3 that answers no upload of the org `other` before the event is set; keys in order of arrival."""
    keys: list[str] = []
    freed = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            keys.append(self.path)
            if "/other/" in self.path:
                freed.wait(60)
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield keys, freed
    freed.set()
    server.shutdown()
    server.server_close()


def test_an_upload_that_hangs_holds_up_its_source_only_and_is_not_repeated(
    tmp_path: Path, hanging: tuple[list[str], threading.Event]
) -> None:
    keys, freed = hanging
    for _ in range(3):
        written(tmp_path / "journal", RECORDS)
    counted: Counter[str] = Counter()
    log = Log()
    found = Sealer(tmp_path / "journal", Root.parse("s3://bucket/zone"), lambda k, n: counted.update({k: n}), log)
    begun = time.monotonic()
    assert found.run_once() == (3, 3), "each in part"
    assert found.run_once() == (0, 3)
    assert time.monotonic() - begun < 5 * PATIENT_SECONDS
    assert counted["landed_objects"] == 12
    assert found.is_uploading
    assert sum("/other/" in key for key in keys) == 1, "a source has one upload under way"
    assert not counted["landing_failures"]
    freed.set()
    deadline = time.monotonic() + 20
    while found.run_once()[1] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (counted["landed_objects"], counted["landed_lines"]) == (15, 18)
    assert len(keys) == len(set(keys)) == 15, "each object was written once"
    assert not found.is_uploading
    assert list(worker_folders(tmp_path / "journal")) == []


def test_an_upload_that_hangs_ends_after_one_try(hanging: tuple[list[str], threading.Event]) -> None:
    root = Root("s3://bucket/zone", request_seconds=1, retry_seconds=1)
    begun = time.monotonic()
    with pytest.raises(TransientStorageError):
        root.write("webhooks/iterable/other/event_date=2026-01-05/x", b"x")
    assert time.monotonic() - begun < 5
    assert len(hanging[0]) == 1
