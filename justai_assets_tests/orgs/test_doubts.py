"""What in a valid org file is probably a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from justai_assets.cli import run
from justai_assets.orgs.doubts import misspelt, weak_secrets
from justai_assets_tests.world import WEBHOOK_ORG, World

JOURNEYS_ALONE = {"custom": ["journey_webhooks"]}


def template(key_metric: str) -> dict[str, Any]:
    return {"id": "welcome", "key_metric": key_metric, "treatment": {"template_id": "501", "campaign_id": "9001"}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"templates": [template("purchse")]}, "templates.0.key_metric: no door brings an event purchse; purchase is"),
        ({"templates": [template("Clicks")]}, "templates.0.key_metric: no door brings an event Clicks; click is meant"),
        ({"attribution": {"windows": {"Purchase": 72}}}, "attribution.windows.Purchase: no door brings"),
        ({"experiments": {"events": ["purchases"]}}, "experiments.events.0: no door brings an event purchases"),
        ({"templates": [template("refund")], **JOURNEYS_ALONE}, "refund; known are click, open, purchase, unsubscribe"),
    ],
)
def test_a_name_that_is_nearly_another_or_that_no_door_can_bring_is_named(
    world: World, changes: dict[str, Any], said: str
) -> None:
    (found,) = misspelt(world.add_org(WEBHOOK_ORG, **changes))
    assert said in found


def test_a_name_that_a_warehouse_may_bring_is_no_mistake(world: World) -> None:
    assert list(misspelt(world.add_org(WEBHOOK_ORG, templates=[template("signup")]))) == []


def test_a_short_salt_is_named_and_one_that_is_not_there_is_left_to_the_check_of_secrets(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    assert list(weak_secrets(org)) == []
    monkeypatch.setenv("ACME_SALT", "x")
    assert run(["org", "check"]) == 0
    assert "pseudonym_salt: has 1 characters" in capsys.readouterr().out
    monkeypatch.delenv("ACME_SALT")
    assert list(weak_secrets(org)) == []
