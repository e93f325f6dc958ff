import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from justai_assets.serving import app as module
from justai_assets.serving.counters import CounterReader
from justai_assets.serving.service_logs import writer
from justai_assets.serving.source_directory import Directory
from justai_assets_tests.serving.service import in_process, run, settings


@pytest.mark.parametrize("failure", [OSError("away"), ValueError("embedded null byte"), RuntimeError("a mistake")])
def test_a_reading_of_orgs_that_fails_is_told_and_tried_again(
    base: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []
    real = Directory.reload

    def reload(self: Directory) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise failure
        real(self)

    monkeypatch.setattr(Directory, "reload", reload)

    async def scenario() -> int:
        async with in_process(settings(base, reload_seconds=0.02)) as client:
            await asyncio.sleep(0.3)
            return (await client.get("/readyz")).status_code

    assert run(scenario()) == 200
    assert len(calls) > 3
    told = [entry for entry in entries(capfd) if entry["event"] == "orgs_unreadable"]
    assert [entry["error"] for entry in told] == [type(failure).__name__]
    assert "embedded" not in str(told), "the text of an exception may hold anything"


def test_a_look_at_the_other_workers_that_fails_is_told_once_and_tried_again(
    base: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PEER_SECONDS", 0.01)
    calls: list[int] = []

    def items(*_: Any) -> Any:
        calls.append(1)
        if len(calls) < 5:
            raise ValueError("torn")
        return iter(())

    monkeypatch.setattr(CounterReader, "items", items)

    async def scenario() -> None:
        async with in_process(settings(base)):
            other = base / "journal" / "counters" / "other.counts"
            other.write_bytes(bytes(64))
            await asyncio.sleep(0.3)

    run(scenario())
    assert len(calls) > 5
    assert [entry["event"] for entry in entries(capfd)].count("peers_unreadable") == 1


def test_without_a_door_the_log_says_so_at_the_start(base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with in_process(settings(base, orgs_dir=base / "nowhere")):
            pass

    run(scenario())
    assert {"no_doors", "orgs_folder_empty"} <= {entry["event"] for entry in entries(capfd)}


def entries(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The log's entries so far."""
    assert writer().flush(5)
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]


def test_strangers_cannot_use_up_what_an_org_may_send_itself(base: Path) -> None:
    text = (base / "orgs" / "open-org.yaml").read_text()
    keyed = text.replace("{allow_unauthenticated: true}", "{allow_unauthenticated: true, api_key: env:OTHER_KEY}")
    (base / "orgs" / "open-org.yaml").write_text(keyed)
    url = "/api/webhook/itbl/open-org"

    async def scenario() -> tuple[list[int], list[int]]:
        async with in_process(settings(base, org_requests_per_second=0.1, org_burst=5)) as client:
            strangers = [(await client.post(url, json={})).status_code for _ in range(8)]
            known = [
                (await client.post(url, json={}, headers={"x-api-key": "key-of-other"})).status_code for _ in range(5)
            ]
        return strangers, known

    strangers, known = run(scenario())
    assert strangers.count(429) == 3
    assert 429 not in known
