"""The check sees every way in which a day's sums can be wrong, and none where they hold."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from justai_assets.attribution.build import build_attributed, build_unified
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    FATES,
    QUARANTINE,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.lake.store import DayWriter
from justai_assets.quality.conservation import conservation
from justai_assets.sources.intake_build import build_from_doors
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

DAYS = Days.parse("2026-01-05", "2026-01-06")
DAY = date(2026, 1, 5)
MADE_OF_DOORS = {ESP_EVENTS: ("iterable_webhooks",), CUSTOM_EVENTS: ("journey_webhooks", "redshift")}


@pytest.fixture
def built(world: World) -> World:
    org = world.add_org(WEBHOOK_ORG)
    sends = [
        esp("emailSend", f"2026-01-05 10:00:0{second}", messageId=f"{second:032x}", templateId=1) for second in range(4)
    ]
    world.land("iterable_webhooks", "acme", DAY, [*sends, sends[0], "{broken"])
    world.land(
        "journey_webhooks",
        "acme",
        DAY,
        [journey("2026-01-05 11:00:00"), journey("2026-01-05 12:00:00", "x@example.com")],
    )
    drop = {
        "event_timestamp": [datetime(2026, 1, 5, 13, tzinfo=UTC)],
        "event_name": ["signup"],
        "user_id_or_email": [""],
    }
    world.drop("redshift", "acme", DAY, pl.DataFrame(drop))
    for table, doors in MADE_OF_DOORS.items():
        build_from_doors(org, world.landing, world.lake, table, doors, DAYS)
    build_attributed(org, world.lake, DAYS)
    build_unified(org, world.lake, DAYS)
    return world


def problems(world: World, table: Table) -> list[str]:
    first, second = conservation(world.lake, "acme", table, DAYS)
    assert (first.day, second.day) == (DAYS.first, DAYS.last)
    assert second.is_sound, "the empty day holds as well"
    assert first.is_sound == (not first.problems)
    return list(first.problems)


def rewrite(world: World, table: Table, change, **partition: str) -> None:
    """Change a day's rows behind the ledger's back."""
    rows = world.lake.scan("acme", table, Days(DAY, DAY)).collect()
    mine = rows.filter(**partition) if partition else rows
    with world.lake.replacing("acme", table, Days(DAY, DAY), partition=partition) as writer:
        writer.write(DAY, change(mine))


ALL = [ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_an_honest_day_is_conserved(table: Table, built: World) -> None:
    assert problems(built, table) == []


def test_the_numbers_are_those_of_the_day(built: World) -> None:
    numbers = conservation(built.lake, "acme", ESP_EVENTS, DAYS)[0].numbers
    assert numbers == {"received": 6, "accepted": 4, "duplicate": 1, "quarantined": 1, "stored": 4}
    numbers = conservation(built.lake, "acme", ATTRIBUTED_EVENTS, DAYS)[0].numbers
    assert (numbers["attributed"], numbers["unattributed"], numbers["stored"]) == (1, 2, 3)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_a_lost_row_is_seen(table: Table, built: World) -> None:
    rewrite(built, table, lambda rows: rows.slice(1))
    assert any("but the table holds" in problem for problem in problems(built, table))


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_a_doubled_row_is_seen(table: Table, built: World) -> None:
    rewrite(built, table, lambda rows: pl.concat([rows, rows.head(1)]))
    assert any("but the table holds" in problem for problem in problems(built, table))


def test_a_quarantined_record_that_is_not_in_quarantine_is_seen(built: World) -> None:
    rewrite(built, QUARANTINE, lambda rows: rows.clear(), asset="esp_events")
    assert problems(built, ESP_EVENTS) == ["quarantined 1, but the quarantine holds 0"]


def test_a_record_without_a_fate_is_seen_per_door_even_when_the_doors_together_add_up(built: World) -> None:
    def shift(rows: pl.DataFrame) -> pl.DataFrame:
        moved = pl.when(pl.col("door") == "redshift").then(1).otherwise(-1)
        return rows.with_columns(
            pl.when(pl.col("fate") == "received").then(pl.col("records") + moved).otherwise("records")
        )

    rewrite(built, FATES, shift, asset="custom_events")
    assert problems(built, CUSTOM_EVENTS) == [
        "journey_webhooks: received 1, but its fates add up to 2",
        "redshift: received 2, but its fates add up to 1",
    ]


def test_an_attribution_older_than_its_events_is_said_and_is_no_loss(built: World) -> None:
    org = built.orgs["acme"]
    built.land("journey_webhooks", "acme", DAY, [journey("2026-01-05 15:00:00")], "late")
    build_from_doors(org, built.landing, built.lake, CUSTOM_EVENTS, MADE_OF_DOORS[CUSTOM_EVENTS], DAYS)
    assert problems(built, CUSTOM_EVENTS) == []
    stale = conservation(built.lake, "acme", ATTRIBUTED_EVENTS, DAYS)[0]
    assert stale.problems == ()
    assert stale.warnings == ("received 3 from custom_events, which holds 4 by now",)
    build_attributed(org, built.lake, DAYS)
    assert problems(built, ATTRIBUTED_EVENTS) == []


@pytest.mark.parametrize(
    ("table", "upstream", "build"),
    [
        (ATTRIBUTED_EVENTS, CUSTOM_EVENTS, build_attributed),
        (UNIFIED_EVENTS, ESP_EVENTS, build_unified),
        (UNIFIED_EVENTS, ATTRIBUTED_EVENTS, build_unified),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_a_day_is_conserved_when_upstream_is_written_while_it_is_built(
    table: Table, upstream: Table, build, built: World
) -> None:
    real = DayWriter.write
    came = []

    def write(writer: DayWriter, *given) -> int:
        if not came:
            came.append(upstream)
            rewrite(built, upstream, lambda rows: pl.concat([rows, rows.with_columns(pl.col("event_id") + "-2")]))
        return real(writer, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DayWriter, "write", write)
        build(built.orgs["acme"], built.lake, DAYS)
    assert conservation(built.lake, "acme", table, DAYS)[0].problems == ()
    held = built.lake.counts("acme", table, DAYS)[DAY]
    build(built.orgs["acme"], built.lake, DAYS)
    assert built.lake.counts("acme", table, DAYS)[DAY] > held, "what came meanwhile is in the next build"


def test_a_day_without_a_ledger_is_told_to_be_materialized(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    for verdict in conservation(world.lake, "acme", ESP_EVENTS, DAYS):
        assert verdict.problems == ("the ledger has no entry for this day; materialize it",)
