"""The landing zone on S3 over real HTTP: away, back, and nothing lost; and a disk that is really full."""

import json
import resource
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from justai_assets.storage import Root
from justai_assets_tests.e2e.s3_server import BUCKET, s3_server
from justai_assets_tests.serving.disk import small_disk
from justai_assets_tests.serving.nursery import nursery
from justai_assets_tests.serving.service import (
    JSON,
    KEY,
    Service,
    free_port,
    http,
    iterable_body,
    landed,
    settings,
    write_orgs,
)


def send(service: Service, number: int) -> httpx.Response:
    body = json.dumps(iterable_body(number, pad="x" * 2000))
    return http().post(f"{service.url}/api/webhook/itbl/acme", content=body, headers={**JSON, "x-api-key": KEY})


@pytest.mark.slow
def test_while_s3_is_away_events_are_taken_and_land_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_orgs(tmp_path)
    port = free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = settings(tmp_path, landing=f"s3://{BUCKET}/zone", segment_seconds=0.2)
    with nursery(**environment) as starter:
        service = starter.start(config)
        ids = []
        for number in range(20):
            answer = send(service, number)
            assert answer.status_code == 202
            ids.append(answer.json()["id"])
        deadline = time.monotonic() + 60
        while not service.metrics().get("landing_failures_total") and time.monotonic() < deadline:
            time.sleep(0.2)
        assert service.metrics()["landing_failures_total"] > 0
        assert http().get(f"{service.url}/readyz").status_code == 200, "the doors stay open"
        ids.append(send(service, 20).json()["id"])
        # Killed and started again in the meantime: the journal is all that is left.
        service.kill()
        starter.reap(service)
        with s3_server(port):
            service = starter.start(config)
            ids.append(send(service, 21).json()["id"])
            service.wait_landed(60)
            assert starter.stop(service) == 0
            counts = Counter(envelope["id"] for envelope in landed(Root.parse(config.landing)))
    assert counts == Counter(ids)
    assert "127.0.0.1" not in (tmp_path / "service.log").read_text(), "endpoints are not the log's business"


def test_with_a_full_disk_nothing_acknowledged_is_lost_and_the_rest_is_asked_to_come_back(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    (tmp_path / "landing").mkdir()
    wall = tmp_path / "landing" / "webhooks"
    wall.write_text("nothing can be landed")
    with small_disk(tmp_path / "disk", "600k") as disk, nursery() as starter:
        config = settings(tmp_path, journal=disk / "journal", segment_bytes=50_000, segment_seconds=1.0)
        service = starter.start(config)
        answers = [send(service, number) for number in range(400)]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {202, 503}
        assert statuses[202] > 50
        assert answers[-1].status_code == 503
        assert int(answers[-1].headers["retry-after"]) > 0
        assert http().get(f"{service.url}/readyz").status_code == 503
        acknowledged = [answer.json()["id"] for answer in answers if answer.status_code == 202]
        wall.unlink()
        service.wait_landed()
        deadline = time.monotonic() + 20
        while (answer := send(service, 1000)).status_code != 202 and time.monotonic() < deadline:
            time.sleep(0.1)
        acknowledged.append(answer.json()["id"])
        assert starter.stop(service) == 0
    counts = Counter(envelope["id"] for envelope in landed(tmp_path / "landing"))
    assert [one for one in acknowledged if counts[one] != 1] == []
    assert max(counts.values()) == 1


def test_a_write_that_the_system_cuts_short_loses_nothing_acknowledged(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    with nursery() as starter:
        # No file may grow beyond 30 kB: writes are cut in the middle of a record.
        service = starter.start(settings(tmp_path, segment_seconds=60.0))
        worker = next(one for one in _descendants(service.pid) if "multiprocessing" not in " ".join(one[1]))
        resource.prlimit(worker[0], resource.RLIMIT_FSIZE, (30_000, 30_000))
        answers = [send(service, number) for number in range(200)]
        statuses = Counter(answer.status_code for answer in answers)
        acknowledged = [answer.json()["id"] for answer in answers if answer.status_code == 202]
        assert starter.stop(service) == 0
    assert set(statuses) == {202, 503}
    counts = Counter(envelope["id"] for envelope in landed(tmp_path / "landing"))
    assert [one for one in acknowledged if counts[one] != 1] == []
    assert max(counts.values()) == 1


def _descendants(pid: int) -> list[tuple[int, list[str]]]:
    import psutil

    return [(one.pid, one.cmdline()) for one in psutil.Process(pid).children(recursive=True)]
