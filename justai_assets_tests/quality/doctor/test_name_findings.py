"""What the org file names and the lake has never seen, and what waits before the org's start."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.quality.doctor.landing_findings import examine_landed
from justai_assets.quality.doctor.name_findings import examine_named
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

DAY = "2026-01-05"
TEMPLATE = {
    "id": "welcome",
    "key_metric": "purchse",
    "treatment": {"template_id": "501", "campaign_id": "9001"},
    "control": {"template_id": "502", "campaign_id": "9999"},
}


@pytest.fixture
def built(world: World) -> World:
    org = world.add_org(WEBHOOK_ORG, templates=[TEMPLATE])
    assert list(examine_named(world.lake, org)) == []
    sends = [
        esp("emailSend", f"{DAY} 09:00:00", messageId=message, templateId=template, campaignId=9001)
        for message, template in (("a", 501), ("b", 502))
    ]
    world.land("iterable_webhooks", "acme", DAY, sends)
    world.land("journey_webhooks", "acme", DAY, [journey(f"{DAY} 10:00:00")])
    assert world.materialize(DAY, DAY)
    return world


def test_ids_of_an_arm_and_an_event_that_never_occur_are_named_with_what_is_there(built: World) -> None:
    arm, metric = examine_named(built.lake, built.orgs["acme"])
    assert arm.message == "welcome: no event has the ids of its control, template 502 and campaign 9999"
    assert "template 502 with campaign 9001" in arm.mend
    assert (metric.message, metric.mend) == ("templates.0.key_metric: purchse never occurred", "write purchase")


def test_explain_names_an_event_that_no_day_has(built: World, capsys: pytest.CaptureFixture[str]) -> None:
    number = f"template=welcome,event=bougth,date={DAY}"
    assert run(["explain", "--org", "acme", "--metric", number]) == 1
    assert "acme has no event bougth on any built day (it has" in capsys.readouterr().err
    assert run(["explain", "--org", "acme", "--metric", number.replace("bougth", "unsubscribe")]) == 0


def test_events_before_the_start_are_a_problem_that_names_the_day_to_set(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, start_date=date(2026, 1, 6))
    lines = [esp("emailSend", f"{DAY} 09:00:00"), esp("emailSend", "2026-01-04 09:00:00"), esp("emailSend", "?")]
    world.land("iterable_webhooks", "acme", None, lines)
    findings, _ = examine_landed(world.landing, org, "iterable_webhooks", datetime(2026, 1, 6, 12, tzinfo=UTC))
    early, undated = (next(one for one in findings if one.check == check) for check in ("start_date", "undated"))
    assert early.level == "problem"
    assert early.message.startswith("2 records are of events before start_date, 2026-01-06")
    assert "set start_date: 2026-01-04 in acme.yaml" in early.mend
    assert undated.message == "1 records have no usable time"


def test_what_a_warehouse_files_without_a_date_is_a_warning(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.drop("redshift", "acme", None, pl.DataFrame({"event_name": ["a"]}))
    findings, _ = examine_landed(world.landing, org, "redshift", datetime(2026, 1, 6, tzinfo=UTC))
    (undated,) = [one for one in findings if one.check == "undated"]
    assert undated.message == "1 files without a usable date lie in the default partition"
