"""A number that moves after it was given is recorded with its cause; a first number is not."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTION_METRICS, COHORT_RESTATEMENTS, RESTATEMENTS
from justai_assets.experiments.attribution_metrics import build_metrics
from justai_assets.experiments.restatements import Given, moved, record
from justai_assets.reporting.report_input import restated
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

IDS = {"messageId": "m" * 32, "templateId": 501, "campaignId": 9001}
TEMPLATES = [{"id": "welcome", "key_metric": "purchase", "treatment": {"template_id": "501", "campaign_id": "9001"}}]
KEY = ("template_id", "event_name", "number", "window_hours", "before", "after")


def land_and_build(world: World) -> None:
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    send = esp("emailSend", "2026-01-05 10:00:00", **IDS)
    world.land("iterable_webhooks", "acme", "2026-01-05", [send])
    world.land("journey_webhooks", "acme", "2026-01-06", [journey("2026-01-06 09:00:00")])
    assert world.materialize("2026-01-05", "2026-01-06")


def test_first_numbers_and_equal_numbers_are_no_restatement(world: World) -> None:
    land_and_build(world)
    assert world.materialize("2026-01-05", "2026-01-06")
    assert world.table(RESTATEMENTS).is_empty()


def test_a_late_open_moves_its_day_and_names_the_file_that_brought_it(world: World) -> None:
    land_and_build(world)
    late = world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailOpen", "2026-01-05 11:00:00", **IDS)], "1")
    assert world.materialize("2026-01-05", "2026-01-06")

    rows = world.table(RESTATEMENTS)
    assert rows.select(KEY).rows() == [("501", "emailOpen", "events", None, 0, 1)]
    assert rows["files"].to_list() == [late]
    assert "esp_events" in rows["upstream"].item()
    assert (rows["given_at"] < rows["restated_at"]).all()


def test_a_late_send_moves_the_conversions_of_the_next_day_and_names_its_file(world: World) -> None:
    land_and_build(world)
    ids = {**IDS, "messageId": "n" * 32, "templateId": 502}
    late = world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 12:00:00", **ids)], "1")
    assert world.materialize("2026-01-05", "2026-01-06")

    rows = world.table(RESTATEMENTS).filter(pl.col("event_date") == date(2026, 1, 6))
    assert set(rows.filter(window_hours=24).select(KEY).rows()) == {
        ("501", "purchase", "attributed_conversions", 24, 1, 0),
        ("502", "purchase", "attributed_conversions", 24, 0, 1),
    }
    assert set(rows["files"]) == {late}, "the custom event did not move by itself"


def test_a_file_that_vanished_is_named_too(world: World) -> None:
    land_and_build(world)
    (gone,) = [one.key for one in world.landing.list("webhooks/events/acme")]
    world.land("journey_webhooks", "acme", "2026-01-09", [])
    world.landing.delete(gone)
    assert world.materialize("2026-01-05", "2026-01-06")
    rows = world.table(RESTATEMENTS)
    assert (None, "purchase", "events", None, 1, 0) in rows.select(KEY).rows()
    assert set(rows["files"]) == {gone}


def test_a_unified_stream_names_the_drops_written_since(world: World) -> None:
    world.add_org(UNIFIED_ORG)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
    rows = [("emailSend", at, "m1", "601", "9101")]
    world.drop("databricks", "globex", "2026-01-05", pl.DataFrame(rows, schema=names, orient="row"), "a")
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    rows = [("upgrade", at + timedelta(hours=1), "m1", "601", "9101")]
    late = world.drop("databricks", "globex", "2026-01-05", pl.DataFrame(rows, schema=names, orient="row"), "b")
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    moves = world.table(RESTATEMENTS, "globex")
    assert ("601", "upgrade", "attributed_conversions", 24, 0, 1) in moves.select(KEY).rows()
    assert set(moves["files"]) == {late}


def test_a_run_tried_again_records_its_changes_once(world: World) -> None:
    land_and_build(world)
    org, day = world.orgs["acme"], Days.parse("2026-01-05", "2026-01-05")
    before = Given.read(org, world.lake, day)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailOpen", "2026-01-05 11:00:00", **IDS)], "1")
    assert world.materialize("2026-01-05", "2026-01-05", "esp_events")
    now = datetime(2026, 2, 1, tzinfo=UTC)

    changed = before.moved(day.first, world.table(ATTRIBUTION_METRICS).clear())
    record(org, world.lake, before, {day.first: changed}, now=now, landing=None)
    assert world.table(RESTATEMENTS).height == changed.height
    build_metrics(org, world.lake, day, now=now)
    assert world.table(RESTATEMENTS).select(KEY).rows() == [("501", "emailOpen", "events", None, 0, 1)]


def test_the_running_day_is_not_restated(world: World) -> None:
    """Its numbers move all the time; nobody has been given a final one."""
    org, today = world.add_org(WEBHOOK_ORG), datetime.now(UTC).date()
    day = Days(today, today)
    rows = [(today, "t", "c", "emailOpen", 24, 1, 1, 0, 0, 1, 0, 0, 0)]
    frame = pl.DataFrame(rows, schema=ATTRIBUTION_METRICS.schema, orient="row")
    with world.lake.replacing("acme", ATTRIBUTION_METRICS, day) as writer:
        writer.write(today, frame)
    given = Given.read(org, world.lake, day)
    assert given.moved(today, frame.clear()).is_empty()
    assert moved(frame, frame.clear()).height == 1


COHORT = ("send_date", "template", "arm", "metric", "window_hours", "number", "before", "after")


def cohort_moves(world: World) -> list[tuple]:
    rows = world.table(COHORT_RESTATEMENTS).filter(
        pl.col("metric").is_null() | pl.col("metric").is_in(["open", "click"])
    )
    return rows.select(COHORT).rows()


def test_a_late_open_of_a_closed_cohort_moves_its_send_day_and_names_its_file(world: World) -> None:
    land_and_build(world)
    late = world.land("iterable_webhooks", "acme", "2026-01-07", [esp("emailOpen", "2026-01-07 11:00:00", **IDS)], "1")
    assert world.materialize("2026-01-07", "2026-01-07")
    assert cohort_moves(world) == [(date(2026, 1, 5), "welcome", "treatment", "open", 72, "successes", 0, 1)]
    assert world.table(COHORT_RESTATEMENTS)["files"].to_list() == [late]


def test_a_late_send_moves_the_messages_of_its_day(world: World) -> None:
    land_and_build(world)
    ids = {**IDS, "messageId": "n" * 32}
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 12:00:00", **ids)], "1")
    assert world.materialize("2026-01-05", "2026-01-05")
    assert (date(2026, 1, 5), "welcome", "treatment", None, None, "messages", 1, 2) in cohort_moves(world)


def test_a_rewrite_that_marks_an_open_as_a_machines_moves_the_open_rate(world: World) -> None:
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    send = esp("emailSend", "2026-01-05 10:00:00", **IDS)
    for proxy in ({}, {"proxySource": "APPLE"}):
        opened = esp("emailOpen", "2026-01-05 11:00:00", **IDS, **proxy)
        world.land("iterable_webhooks", "acme", "2026-01-05", [send, opened])
        assert world.materialize("2026-01-05", "2026-01-05")
    assert cohort_moves(world) == [(date(2026, 1, 5), "welcome", "treatment", "open", 72, "successes", 1, 0)]
    assert world.table(COHORT_RESTATEMENTS)["files"].to_list() != [""], "the rewritten file is named"


def test_a_day_that_was_given_as_empty_and_gets_sends_is_restated(world: World) -> None:
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    assert world.materialize("2026-01-05", "2026-01-05")
    assert cohort_moves(world) == []
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert (date(2026, 1, 5), "welcome", "treatment", None, None, "messages", 0, 1) in cohort_moves(world)


def test_numbers_that_move_because_the_rule_changed_say_so(world: World) -> None:
    land_and_build(world)
    window = {"window_hours": 12, "windows": {"purchase": 12}}
    world.add_org({**WEBHOOK_ORG, "attribution": window}, templates=TEMPLATES)
    assert world.materialize("2026-01-05", "2026-01-06")
    moves = world.table(COHORT_RESTATEMENTS).filter(pl.col("metric") == "any_conversion")
    assert moves.select("before", "after").rows() == [(1, 0)]
    assert moves["upstream"].str.contains("rule [0-9a-f]+ → [0-9a-f]+").all()


def bought(value: float) -> pl.DataFrame:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    columns = {"event_timestamp": [at], "event_name": ["purchase"], "user_id_or_email": ["jane@example.com"]}
    return pl.DataFrame({**columns, "value": [value]})


def test_an_amount_that_moved_is_recorded_and_the_report_does_not_say_by_how_much(world: World) -> None:
    drop = {"content": "custom_events", "extra_columns": ["value"]}
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES, sources={**WEBHOOK_ORG["sources"], "redshift": drop})
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **IDS)])
    for value in (19.99, 25.5):
        world.drop("redshift", "acme", "2026-01-05", bought(value))
        assert world.materialize("2026-01-05", "2026-01-05")
    (row,) = world.table(COHORT_RESTATEMENTS).to_dicts()
    assert (row["metric"], row["number"], row["before"], row["after"]) == ("revenue:purchase", "value", None, None)
    assert (row["value_before"], row["value_after"]) == (19.99, 25.5)
    (one,) = restated(world.orgs["acme"], world.lake, Days.parse("2026-01-05", "2026-01-05"), None)
    assert (one.metric, one.before, one.after) == ("Value of purchase", None, None)
    assert one.files == ("redshift/acme/event_date=2026-01-05/0000_part_00.parquet",)


def test_the_report_lists_the_first_old_and_the_last_new_value(world: World) -> None:
    land_and_build(world)
    for name in ("1", "2"):
        ids = {**IDS, "messageId": name * 32}
        sent = esp("emailSend", f"2026-01-05 11:0{name}:00", **ids)
        world.land("iterable_webhooks", "acme", "2026-01-05", [sent], name)
        assert world.materialize("2026-01-05", "2026-01-06")
    org, days = world.orgs["acme"], Days.parse("2026-01-01", "2026-01-10")
    (one,) = (found for found in restated(org, world.lake, days, None) if found.metric == "Messages sent")
    assert (one.template, one.before, one.after) == ("welcome", 1, 3)
    assert len(one.files) == 2
    assert restated(org, world.lake, days, one.restated_at) == ()
