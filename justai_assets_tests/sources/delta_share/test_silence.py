"""No token and no pre-signed address may be seen anywhere: not in logs, errors, states, commits or files."""

from __future__ import annotations

import base64
import logging
import traceback

import pytest
import structlog

from justai_assets.contract.errors import JustAIError
from justai_assets.testing.share_server.shared_tables import SharedTable
from justai_assets_tests.sources.delta_share.shared import D2, NAME, TABLE, Mirrored, events, replace_day
from justai_assets_tests.sources.delta_share.test_failures import FAILURES, FAST

KINDS = ["v1", "basic", "oauth_client_credentials"]


def leaks(text: str, mirrored: Mirrored) -> list[str]:
    """What a text shows that it must not."""
    access = mirrored.server.access
    pairs = ((access.username, access.password), (access.client_id, access.client_secret))
    secrets = [*access.secrets, *(base64.b64encode(":".join(pair).encode()).decode() for pair in pairs)]
    return [mark for mark in (*secrets, "X-Amz-Signature") if mark in text]


CASES = [(name, KINDS[index % len(KINDS)]) for index, name in enumerate(FAILURES)]
CASES += [(name, kind) for name in ("forbidden", "error after 200") for kind in KINDS]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_failing_run_shows_no_secret(
    mirrored: Mirrored, name: str, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
    FAILURES[name][0](mirrored)
    # The worst that a server can do is to repeat the request in its message.
    for fault in mirrored.server.faults._set:
        fault.message = f"denied: {{authorization}} at {mirrored.server.url}/files/x?X-Amz-Signature=1"
    with structlog.testing.capture_logs() as events_, pytest.raises(JustAIError) as caught:
        run_as(mirrored, kind)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    said += "".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    said += "".join(map(str, events_)) + "".join(capfd.readouterr())
    assert leaks(said, mirrored) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_run_shows_no_secret_either(
    mirrored: Mirrored, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")  # alerts mute it for the process
    run_as(mirrored, kind)
    replace_day(mirrored.source, D2, events(D2, 9))
    mirrored.server.access.url_seconds = 3600
    run_as(mirrored, kind)
    said = repr(mirrored.steps) + (mirrored.state.to_json() if mirrored.state else "")
    said += "".join(f"{record.getMessage()} {record.args}" for record in caplog.records) + "".join(capfd.readouterr())
    logs = sorted((mirrored.folder / "lake").rglob("*.json"))
    said += "".join(path.read_text() for path in logs)
    assert logs
    assert any("HTTP Request: GET" in record.getMessage() for record in caplog.records), "httpx no longer logs requests"
    assert leaks(said, mirrored) == []


def run_as(mirrored: Mirrored, kind: str) -> None:
    from justai_assets.sources.delta_share.mirror import mirror

    with mirrored.client(kind, FAST) as client:
        mirrored.steps = list(mirror(client, TABLE, mirrored.target, mirrored.state))
    mirrored.state = mirrored.steps[-1].state
