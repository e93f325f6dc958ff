from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.orgs.org_loader import load_org
from justai_assets.testing.share_server import ShareServer
from justai_assets_tests.dag.automated import Automation
from justai_assets_tests.dag.demo_week import Week, landed_week
from justai_assets_tests.dag.shared_org import ORG, Shared
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, NAME, events, write
from justai_assets_tests.world import WEBHOOK_ORG, World


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    with landed_week(tmp_path / "demo") as found:
        yield found


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setenv("ACME_SALT", "a salt")
    monkeypatch.setenv("JUSTAI_WORK", str(tmp_path / "work"))
    with ShareServer({NAME: tmp_path / "source"}) as server, dg.DagsterInstance.ephemeral() as instance:
        for day in (D1, D2, D3):
            write(tmp_path / "source", events(day))
        profile = tmp_path / "acme.share"
        soon = datetime.now(UTC) + timedelta(days=3)
        profile.write_text(server.profile(expiration=soon.isoformat()))
        file = tmp_path / "acme.yaml"
        file.write_text(ORG.format(profile=profile, table=NAME))
        yield Shared(tmp_path, server, load_org(file), instance)


@pytest.fixture
def automation(world: World) -> Automation:
    world.add_org(WEBHOOK_ORG)
    return Automation(world)


@pytest.fixture
def source_org(any_world: World) -> World:
    sources = {**WEBHOOK_ORG["sources"], "redshift": {"content": "custom_events", "settle_seconds": 0}}
    any_world.add_org(WEBHOOK_ORG, sources=sources)
    return any_world
