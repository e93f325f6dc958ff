"""Undated records that have become dated: filed under their day, received once, and filed twice by nobody."""

from __future__ import annotations

import json
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, FATES, QUARANTINE
from justai_assets.landing.refiled_records import copy_key, refile
from justai_assets_tests.world import WEBHOOK_ORG, World, envelope, esp, journey

START = date(2026, 1, 6)
EARLIER = date(2026, 1, 4)
BEFORE = [
    esp("emailSend", "2026-01-04 10:00:00", messageId="a"),
    esp("emailSend", "2026-01-05 10:00:00", messageId="b"),
]
NEVER = [esp("emailOpen", "?"), "{broken", envelope({}), envelope({"rejected": "not_json"})]


def fates(world: World) -> dict[tuple[date | None, str, str | None], int]:
    """(day, fate, reason) → records of esp_events, zeros left out."""
    rows = world.table(FATES).filter(pl.col("asset") == ESP_EVENTS.name, pl.col("records") > 0)
    return {
        (day, fate, reason): records
        for day, fate, reason, records in rows.select("event_date", "fate", "reason", "records").iter_rows()
    }


def test_events_before_the_start_come_back_when_the_start_is_moved(world: World) -> None:
    world.add_org(WEBHOOK_ORG, start_date=START)
    world.land("iterable_webhooks", "acme", None, [*BEFORE, *NEVER])
    assert world.materialize("2026-01-06", "2026-01-06")
    causes = world.table(QUARANTINE)["reason"].sort().to_list()
    assert causes == ["before_start", "before_start", "missing_event_name", "not_json", "not_json", "undated"]

    world.add_org(WEBHOOK_ORG, start_date=EARLIER)
    assert world.materialize("2026-01-04", "2026-01-06")
    assert world.table(ESP_EVENTS).select("event_date", "message_id").sort("message_id").rows() == [
        (date(2026, 1, 4), "a"),
        (date(2026, 1, 5), "b"),
    ]
    found = fates(world)
    assert found[None, "received", None] == len(NEVER)
    assert found[date(2026, 1, 4), "received", None] == 1
    assert {reason for day, _, reason in found if day is None} == {None, "missing_event_name", "not_json", "undated"}


def test_what_a_journey_sent_before_the_start_comes_back_too(world: World) -> None:
    world.add_org(WEBHOOK_ORG, start_date=START)
    world.land("journey_webhooks", "acme", None, [journey("2026-01-05 11:00:00")])
    world.add_org(WEBHOOK_ORG, start_date=EARLIER)
    assert world.materialize("2026-01-05", "2026-01-05")
    assert world.table(CUSTOM_EVENTS)["event_name"].to_list() == ["purchase"]


def test_filing_again_files_nothing_more_and_leaves_what_was_landed_alone(world: World) -> None:
    key = world.land("iterable_webhooks", "acme", None, [*BEFORE, *NEVER])
    before = world.landing.read(key)
    assert refile(world.landing, "acme", "iterable_webhooks", EARLIER) == {EARLIER: 1, EARLIER + timedelta(days=1): 1}
    assert refile(world.landing, "acme", "iterable_webhooks", EARLIER) == {}
    assert world.landing.read(key) == before


def test_a_start_that_is_moved_forward_again_makes_the_records_undated_again(world: World) -> None:
    world.land("iterable_webhooks", "acme", None, BEFORE)
    refile(world.landing, "acme", "iterable_webhooks", EARLIER)
    world.add_org(WEBHOOK_ORG, start_date=START)
    assert world.materialize("2026-01-06", "2026-01-06")
    assert fates(world)[None, "quarantined", "before_start"] == 2


def test_a_run_that_died_between_two_days_is_made_good_by_the_next(world: World) -> None:
    key = world.land("iterable_webhooks", "acme", None, BEFORE)
    refile(world.landing, "acme", "iterable_webhooks", EARLIER)
    world.landing.delete(copy_key("iterable_webhooks", "acme", EARLIER, key))
    world.add_org(WEBHOOK_ORG, start_date=EARLIER)
    assert world.materialize("2026-01-04", "2026-01-05")
    assert world.table(ESP_EVENTS).height == 2
    assert (None, "received", None) not in fates(world)


@pytest.mark.parametrize("door", ["redshift", "databricks", "generate"])
def test_what_the_collector_did_not_write_stays_as_it_is(world: World, door: str) -> None:
    world.landing.write(f"{door}/acme/event_date=__HIVE_DEFAULT_PARTITION__/a.jsonl", b"x")
    assert refile(world.landing, "acme", door, EARLIER) == {}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from([*BEFORE, *NEVER, json.dumps(3), ""]), max_size=8), st.integers(0, 4))
def test_each_record_is_received_once_wherever_the_start_lies(world: World, lines: list[str], days: int) -> None:
    world.landing.delete(*(found.key for found in world.landing.list("webhooks/iterable/acme")))
    world.land("iterable_webhooks", "acme", None, lines)
    org = world.add_org(WEBHOOK_ORG, start_date=date(2026, 1, 3) + timedelta(days=days))
    refile(world.landing, "acme", "iterable_webhooks", org.start_date)
    received = 0
    from justai_assets.sources.intake import open_day

    for day in (None, *(org.start_date + timedelta(days=n) for n in range(5))):
        with open_day(world.landing, org, "iterable_webhooks", day, ESP_EVENTS) as intake:
            received += intake.received
            refused = intake.rejected.select(pl.col("records").sum()).collect().item()
            accepted = intake.accepted.select(pl.len()).collect().item()
            assert intake.received == accepted + intake.duplicates + refused
    assert received == sum(bool(line) for line in lines)
