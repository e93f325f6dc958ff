"""What in a valid org file is probably a mistake."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from justai_assets.cli import run
from justai_assets.orgs.org_warnings import misspelt, unknown_people, weak_secrets
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

JOURNEYS_ALONE = {"custom": ["journey_webhooks"]}


def template(key_metric: str) -> dict[str, Any]:
    return {"id": "welcome", "key_metric": key_metric, "treatment": {"template_id": "501", "campaign_id": "9001"}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"templates": [template("purchse")]},
            "templates.0.key_metric: no source brings an event purchse; purchase is",
        ),
        (
            {"templates": [template("Clicks")]},
            "templates.0.key_metric: no source brings an event Clicks; click is meant",
        ),
        ({"attribution": {"windows": {"Purchase": 72}}}, "attribution.windows.Purchase: no source brings"),
        ({"experiments": {"events": ["purchases"]}}, "experiments.events.0: no source brings an event purchases"),
        ({"templates": [template("emailOpenn")]}, "no source brings an event emailOpenn; open is meant, perhaps"),
        ({"experiments": {"events": ["emailOpen"]}}, "experiments.events.0: emailOpen is an engagement event"),
        ({"attribution": {"windows": {"smsClick": 5}}}, "windows.smsClick: smsClick is an engagement event"),
        ({"templates": [template("refund")], **JOURNEYS_ALONE}, "refund; known are click, open, purchase, unsubscribe"),
    ],
)
def test_a_name_that_is_nearly_another_or_that_no_source_can_bring_is_named(
    world: World, changes: dict[str, Any], said: str
) -> None:
    (found,) = misspelt(world.add_org(WEBHOOK_ORG, **changes))
    assert said in found


def test_a_name_that_a_warehouse_may_bring_is_no_mistake(world: World) -> None:
    assert list(misspelt(world.add_org(WEBHOOK_ORG, templates=[template("signup")]))) == []


@pytest.mark.parametrize(
    ("name", "metric"), [("emailOpen", "open"), ("smsClick", "click"), ("emailBounce", "a custom")]
)
def test_a_key_metric_that_can_never_be_counted_is_refused_with_what_to_write(
    world: World, capsys: pytest.CaptureFixture[str], name: str, metric: str
) -> None:
    path = world.folder / "orgs" / "acme.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**WEBHOOK_ORG, "templates": [template(name)]}), encoding="utf-8")
    assert run(["org", "check"]) == 1
    said = capsys.readouterr().err
    assert f"{name} is an engagement event and never counts as a conversion; write {metric}" in said
    assert "templates.0.key_metric" in said


def test_a_split_over_people_whom_no_source_names_is_said_with_what_it_means(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    split = {**template("upgrade"), "split_unit": "user", "control": {"template_id": "502", "campaign_id": "9001"}}
    world.add_org(UNIFIED_ORG, templates=[split])
    assert run(["org", "check"]) == 0
    said = capsys.readouterr().out
    assert "templates.0.split_unit: user, but databricks names no person, so the split is not checked" in said
    assert "decisions rest on an assumed design effect; set experiments.assumed_design_effect if you know it" in said
    known = world.add_org(UNIFIED_ORG, templates=[split], experiments={"assumed_design_effect": 2})
    assert "rest on the assumed_design_effect of 2; keep it" in next(iter(unknown_people(known)))
    assert list(unknown_people(world.add_org(WEBHOOK_ORG, templates=[split]))) == []


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
