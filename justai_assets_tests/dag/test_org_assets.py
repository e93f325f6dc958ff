"""What the assets of an org hand on to the functions that do their work."""

from __future__ import annotations

from typing import Any

import pytest

from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey


@pytest.mark.parametrize(("text", "budget"), [("", None), ("300000000", 300_000_000)])
def test_attribution_in_an_asset_keeps_to_the_memory_budget(
    text: str, budget: int | None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    real = Limits.of

    def seen(rows: int, memory_budget: int | None = None) -> Limits:
        asked.append(memory_budget)
        return real(rows, memory_budget)

    monkeypatch.setattr(Limits, "of", seen)
    monkeypatch.setenv("JUSTAI_MEMORY_BUDGET", text)
    world.add_org(WEBHOOK_ORG)
    sent: dict[str, Any] = {"messageId": f"{1:032x}", "templateId": 501, "campaignId": 9001}
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **sent)])
    world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00")])
    tables = ("esp_events", "custom_events", "attributed_events")
    assert world.materialize("2026-01-05", "2026-01-05", *tables)
    assert asked == [budget]
    assert world.table(ATTRIBUTED_EVENTS)["is_attributed"].to_list() == [True]
