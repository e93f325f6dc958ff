from __future__ import annotations

import json
import os
from datetime import timedelta

from justai_assets.quality.doctor.finding import is_well
from justai_assets.quality.doctor.landing_findings import examine_landed
from justai_assets.storage import Root
from justai_assets_tests.quality.doctor.examined import NOW, TODAY, YESTERDAY, bought, change, look, of, well
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp


def test_an_org_whose_doors_are_well_has_no_problem_and_every_door_is_looked_at(world: World) -> None:
    findings = look(world, well(world))
    assert is_well(findings)
    assert [one.message for one in findings if one.level == "problem"] == []
    for door in ("iterable_webhooks", "journey_webhooks", "redshift"):
        assert {"last file", "contract", "event names", "identity", "clocks"} <= {
            one.check for one in findings if one.door == door
        }
    assert all(one.mend for one in findings if one.level != "ok")


def test_a_door_that_nothing_came_through_and_one_that_fell_silent_are_problems(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    key = world.drop("redshift", "acme", YESTERDAY, bought(1))
    change(world, key, 80)
    findings = look(world, org)
    assert of(findings, "journey_webhooks", "last file") == [("problem", "nothing has landed")]
    assert [level for level, _ in of(findings, "redshift", "last file")] == ["problem"]
    assert not is_well(findings)


def test_a_landing_root_that_is_not_there_is_a_problem_of_every_door(world: World, bucket: str, moto_url: str) -> None:
    org = world.add_org(WEBHOOK_ORG)
    findings, days = examine_landed(Root.parse("s3://no-such-bucket-here/landing"), org, "redshift", NOW)
    assert [(one.check, one.level) for one in findings] == [("reachable", "problem")]
    assert days == {}


def test_records_that_are_refused_are_counted_with_their_main_reason(world: World) -> None:
    org = well(world)
    world.land("iterable_webhooks", "acme", YESTERDAY, ["not json"] * 3, name="1")
    ((level, message),) = of(look(world, org), "iterable_webhooks", "contract")
    assert level == "problem"
    assert "6 records, 3 refused" in message
    assert "not_json 3" in message


def test_engagement_without_a_send_cannot_be_attributed_and_without_opens_is_remarked(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    key = world.land("iterable_webhooks", "acme", YESTERDAY, [esp("emailOpen", f"{YESTERDAY} 09:00:00")])
    assert [level for level, _ in of(look(world, org), "iterable_webhooks", "event names")] == ["problem"]
    world.landing.delete(key)
    world.land("iterable_webhooks", "acme", YESTERDAY, [esp("emailSend", f"{YESTERDAY} 09:00:00")])
    ((level, message),) = of(look(world, org), "iterable_webhooks", "event names")
    assert (level, "no opens and no clicks" in message) == ("warning", True)


def test_engagement_events_in_a_custom_door_would_come_twice(world: World) -> None:
    org = well(world)
    world.drop("redshift", "acme", YESTERDAY, bought(1, name="emailSend"), name="1")
    ((level, message),) = of(look(world, org), "redshift", "event names")
    assert (level, message.startswith("emailSend")) == ("problem", True)


def test_events_that_name_nobody_are_a_warning_then_a_problem(world: World) -> None:
    org = well(world)
    world.drop("redshift", "acme", YESTERDAY, bought(1, who=None), name="1")
    assert [level for level, _ in of(look(world, org), "redshift", "identity")] == ["warning"]
    world.drop("redshift", "acme", YESTERDAY, bought(9, who=" "), name="2")
    assert [level for level, _ in of(look(world, org), "redshift", "identity")] == ["problem"]


def test_events_ahead_of_their_receipt_point_at_the_clock(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    ahead = esp("emailSend", f"{YESTERDAY} 09:00:00").replace("2026-01-05T12:00:00Z", f"{YESTERDAY}T08:54:59Z")
    near = esp("emailOpen", f"{YESTERDAY} 09:00:00").replace("2026-01-05T12:00:00Z", f"{YESTERDAY}T08:55:00Z")
    world.land("iterable_webhooks", "acme", YESTERDAY, [ahead, near])
    ((level, message),) = of(look(world, org), "iterable_webhooks", "clocks")
    assert (level, message.split()[0]) == ("problem", "1")


def test_parts_of_two_exports_count_twice_and_are_a_problem(world: World) -> None:
    org = well(world)
    change(world, world.drop("redshift", "acme", YESTERDAY, bought(2), name="0001_part_00"), 5)
    ((level, message),) = of(look(world, org), "redshift", "stale parts")
    assert (level, "no manifest" in message) == ("problem", True)


def commit(world: World, number: int, added: list[str], removed: list[str]) -> None:
    lists = json.dumps({"added": [f"{one}.parquet" for one in added], "removed": [f"{one}.parquet" for one in removed]})
    world.landing.write(f"databricks/acme/event_date={YESTERDAY}/_committed_{number}", lists.encode())


def test_a_databricks_day_exported_again_is_well(world: World) -> None:
    org = world.add_org(
        {**WEBHOOK_ORG, "custom": ["databricks"]},
        sources={"iterable_webhooks": {}, "databricks": {"content": "custom_events"}},
    )
    world.drop("databricks", "acme", YESTERDAY, bought(3), name="part-1")
    commit(world, 1, ["part-1"], [])
    world.drop("databricks", "acme", YESTERDAY, bought(2), name="part-2")
    commit(world, 2, ["part-2"], ["part-1"])
    findings = look(world, org)
    assert of(findings, "databricks", "contract") == [
        (
            "ok",
            f"{YESTERDAY}: 2 records, 0 refused, 0 delivered again; 3 more of files that the writer's list does not "
            "name are not read",
        )
    ]
    ((level, message),) = of(findings, "databricks", "stale parts")
    assert (level, "1 files superseded" in message, "vacuumed" in message) == ("ok", True, True)
    world.drop("databricks", "acme", YESTERDAY, bought(2), name="part-3")
    assert [level for level, _ in of(look(world, org), "databricks", "stale parts")] == ["ok", "warning"]


def test_the_mend_of_stale_parts_is_an_export_of_that_door(world: World) -> None:
    org = world.add_org({**UNIFIED_ORG, "slug": "acme"})
    for name in ("part-1", "part-2"):
        world.drop("databricks", "acme", YESTERDAY, bought(1), name=name)
    change(world, f"databricks/acme/event_date={YESTERDAY}/part-1.parquet", 5)
    (found,) = [one for one in look(world, org) if one.check == "stale parts"]
    assert "justai sql --dialect databricks --org acme" in found.mend
    assert "redshift" not in found.mend


def test_the_last_day_that_is_over_is_taken_in_beside_todays(world: World) -> None:
    org = well(world)
    world.land("iterable_webhooks", "acme", YESTERDAY, ["not json"] * 3, name="1")
    begun = esp("emailOpen", f"{TODAY} 00:00:00").replace("2026-01-05T12:00:00Z", f"{TODAY}T00:00:02Z")
    world.land("iterable_webhooks", "acme", TODAY, [begun])
    world.land("iterable_webhooks", "acme", TODAY - timedelta(days=2), ["not json"])
    findings = look(world, org)
    assert [(level, message[:10]) for level, message in of(findings, "iterable_webhooks", "contract")] == [
        ("problem", str(YESTERDAY)), ("ok", str(TODAY)),
    ]  # fmt: skip
    whole, partial = of(findings, "iterable_webhooks", "event names")
    assert whole[0] == "ok"
    # A day that has just begun is not blamed for what has not happened yet.
    assert partial == ("ok", f"{TODAY}, so far: emailOpen 1")


def test_many_small_files_are_remarked(world: World) -> None:
    org = well(world)
    for number in range(5):
        world.drop("redshift", "acme", YESTERDAY, bought(1), name=f"part-{number}")
    assert [level for level, _ in of(look(world, org), "redshift", "small files")] == ["warning"]


def test_a_day_far_from_the_usual_size_is_remarked(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    for back in range(1, 10):
        day = TODAY - timedelta(days=back)
        size = (8 if back == 1 else 1) << 20
        world.landing.write(f"redshift/acme/event_date={day}/0000.parquet", os.urandom(size))
    findings, _ = examine_landed(world.landing, org, "redshift", NOW)
    ((level, message),) = of(findings, "redshift", "skew")
    assert (level, f"the last {YESTERDAY}: 8 times" in message) == ("warning", True)
