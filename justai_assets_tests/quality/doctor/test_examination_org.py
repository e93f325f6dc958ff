"""What doctor finds of an org beyond its sources' records: secrets, shares, and that it writes nothing."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from justai_assets.cli import app, run
from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.quality.doctor.attribution_finding import examine_attributed
from justai_assets_tests.quality.doctor.examined import NOW, TODAY, YESTERDAY, bought, look, of, well
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World


def test_the_same_events_through_two_doors_are_found(world: World) -> None:
    org = world.add_org(
        {**WEBHOOK_ORG, "custom": ["databricks", "redshift"]},
        sources={"iterable_webhooks": {}, "redshift": {"content": "custom_events"},
                 "databricks": {"content": "custom_events"}},
    )  # fmt: skip
    for door in ("redshift", "databricks"):
        world.drop(door, "acme", YESTERDAY, bought(4))
    ((level, message),) = of(look(world, org), "databricks", "twice")
    assert (level, "4 of 4 events" in message) == ("problem", True)


def test_a_door_that_nobody_reads_is_remarked(world: World) -> None:
    org = world.add_org({**WEBHOOK_ORG, "custom": ["journey_webhooks"]})
    world.drop("redshift", "acme", YESTERDAY, bought(1))
    assert [level for level, _ in of(look(world, org), "redshift", "read")] == ["warning"]


def test_a_secret_that_is_not_set_is_named_by_its_reference(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = well(world)
    monkeypatch.delenv("ACME_SALT")
    findings = look(world, org)
    ((level, message),) = of(findings, "acme", "secrets")
    assert (level, "env:ACME_SALT" in message) == ("problem", True)


def test_a_webhook_door_without_a_key_is_remarked(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    assert [level for level, _ in of(look(world, org), "journey_webhooks", "credential")] == ["warning"]
    assert of(look(world, org), "redshift", "credential") == []


def test_days_outside_the_orgs_are_remarked(world: World) -> None:
    org = well(world)
    world.drop("redshift", "acme", date(2020, 1, 1), bought(1))
    assert [level for level, _ in of(look(world, org), "redshift", "days")] == ["warning"]


@pytest.mark.parametrize(
    ("reasons", "level"),
    [
        ([None, "no_send"], "ok"),
        ([None, "no_send", "no_send"], "warning"),
        (["no_identity"], "problem"),
        ([], "warning"),
    ],
)
def test_the_unattributed_share_comes_with_its_main_reason(world: World, reasons: list[str | None], level: str) -> None:
    org = world.add_org(WEBHOOK_ORG)
    rows: list[dict[str, Any]] = [
        {"event_name": "purchase", "event_timestamp": datetime.combine(TODAY, datetime.min.time(), UTC),
         "event_date": TODAY, "door": "redshift", "window_hours": 24, "is_attributed": reason is None, "reason": reason}
        for reason in reasons
    ]  # fmt: skip
    from justai_assets.contract.days import Days

    if rows:
        with world.lake.replacing("acme", ATTRIBUTED_EVENTS, Days(TODAY, TODAY)) as writer:
            writer.write(TODAY, pl.DataFrame(rows, schema=ATTRIBUTED_EVENTS.schema))
    (finding,) = examine_attributed(world.lake, org, NOW)
    assert finding.level == level
    if finding.mend.startswith("justai "):
        app.parse_args(shlex.split(finding.mend)[1:], exit_on_error=False, print_error=False)
        assert str(TODAY - timedelta(days=6)) in finding.mend
    assert bool(finding.mend) == (level != "ok")


def test_a_share_that_does_not_answer_and_a_bad_profile_are_problems(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = {"profile": "env:ACME_SHARE", "table": "share.schema.table"}
    org = world.add_org({**UNIFIED_ORG, "engagement": "delta_share"}, sources={"delta_share": share})
    monkeypatch.setenv("ACME_SHARE", "not a profile")
    findings = look(world, org)
    assert [level for level, _ in of(findings, "delta_share", "reachable")] == ["problem"]
    assert "not a profile" not in "".join(one.message + one.mend for one in findings)


def test_a_share_out_of_reach_is_one_finding_with_a_mend_for_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    share = {"profile": "env:ACME_SHARE", "table": "share.schema.table"}
    org = world.add_org({**UNIFIED_ORG, "engagement": "delta_share"}, sources={"delta_share": share})
    # Port 1 of this machine: nothing listens there.
    profile = {"shareCredentialsVersion": 1, "endpoint": "https://127.0.0.1:1/share", "bearerToken": "t"}
    monkeypatch.setenv("ACME_SHARE", json.dumps(profile))
    (finding,) = [one for one in look(world, org) if one.door == "delta_share"]
    assert (finding.check, finding.level) == ("reachable", "problem")
    assert "endpoint named in the profile" in finding.mend
    printed = capsys.readouterr()
    assert (printed.out, printed.err, caplog.text) == ("", "", "")


def test_the_command_exits_1_when_something_is_wrong(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    well(world)
    assert run(["doctor", "--org", "acme"]) == 0
    out = capsys.readouterr().out
    assert " 0 problems" in out
    assert "jane" not in out
    world.land("iterable_webhooks", "acme", YESTERDAY, ["not json"], name="1")
    assert run(["doctor", "--org", "acme"]) == 1
    assert "→ not_json: " in capsys.readouterr().out


def test_nothing_is_written_by_looking(world: World) -> None:
    org = well(world)

    def files() -> list[Path]:
        return sorted(world.folder.rglob("*"))

    before = files()
    look(world, org)
    assert files() == before
    assert isinstance(world.lake, Lake)
