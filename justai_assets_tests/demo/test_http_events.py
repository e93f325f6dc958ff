"""The demo's own webhooks: posted to the real doors, seen in the stream."""

from __future__ import annotations

import inspect
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from justai_assets.commands.collect_command import collect
from justai_assets.contract.days import Days
from justai_assets.dag.headless import materialize_days
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.http_events import post_through_doors
from justai_assets.demo.sample_orgs import write_orgs
from justai_assets.orgs.org_loader import load_orgs
from justai_assets.reporting.terminal_tables import show_caused
from justai_assets.settings import Settings


@pytest.mark.slow
def test_what_is_posted_to_the_doors_becomes_a_row_that_names_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DemoPlace(tmp_path / "demo")
    place.fresh()
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    first = datetime.now(UTC).date()
    write_orgs(place, first)
    posted = post_through_doors(place)
    key = place.secret_file("acme-api-key").read_text()
    assert key not in posted.curl()
    assert shlex.split(posted.curl())[-1] == posted.body
    port = inspect.signature(collect).parameters["port"].default
    assert shlex.split(posted.curl())[1] == f"http://127.0.0.1:{port}/api/webhook/events/acme"
    assert sum("acme" in path.parts for path in place.landing.rglob("*.jsonl.zst")) == 2
    last = datetime.now(UTC).date()
    console = Console(record=True, width=200)
    settings = Settings.from_environment()
    assert materialize_days(load_orgs(place.orgs_dir).by_slug["acme"], Days(first, last), today=last)
    assert show_caused(settings, "acme", posted.message_id, posted.curl(), console)
    assert not show_caused(settings, "acme", "another", posted.curl(), console)
    said = console.export_text()
    assert f"purchase  501  9001  {posted.message_id}" in said
    assert "the event is not there" in said
