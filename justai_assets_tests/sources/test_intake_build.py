"""Days of doors become days of a table, with every record's fate beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.errors import StorageError
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, FATES, QUARANTINE
from justai_assets.lake.ledger import DayReport
from justai_assets.sources import intake_build as build
from justai_assets.sources.intake_build import build_from_doors
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

DAYS = Days.parse("2026-01-05", "2026-01-06")
DOORS = ("journey_webhooks", "redshift")


def drop(at: datetime, rows: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"event_timestamp": [at] * rows, "event_name": ["signup"] * rows, "user_id_or_email": ["u"] * rows}
    )


@pytest.fixture
def landed(any_world: World) -> World:
    any_world.add_org(WEBHOOK_ORG)
    any_world.land("journey_webhooks", "acme", "2026-01-05", [*[journey("2026-01-05 11:00:00")] * 2, "{broken"])
    any_world.drop("redshift", "acme", "2026-01-05", drop(datetime(2026, 1, 5, 1, tzinfo=UTC), 3))
    any_world.drop("redshift", "acme", "2026-01-06", drop(datetime(2026, 1, 6, 1, tzinfo=UTC), 2))
    return any_world


def built(world: World, days: Days | None = DAYS, **more: object) -> list[DayReport]:
    return build_from_doors(world.orgs["acme"], world.landing, world.lake, CUSTOM_EVENTS, DOORS, days, **more)


def fates(world: World) -> dict[tuple[date | None, str, str, str | None], int]:
    return {tuple(row[:-1]): row[-1] for row in world.table(FATES).drop("asset").rows() if row[-1]}


def test_two_doors_fill_one_table_and_each_has_its_own_fates(landed: World) -> None:
    reports = built(landed)
    rows = landed.table(CUSTOM_EVENTS).group_by("event_date", "door").len().sort("event_date", "door").rows()
    fifth, sixth = date(2026, 1, 5), date(2026, 1, 6)
    assert rows == [(fifth, "journey_webhooks", 1), (fifth, "redshift", 3), (sixth, "redshift", 2)]
    assert fates(landed) == {
        (fifth, "journey_webhooks", "received", None): 3,
        (fifth, "journey_webhooks", "accepted", None): 1,
        (fifth, "journey_webhooks", "duplicate", None): 1,
        (fifth, "journey_webhooks", "quarantined", "not_json"): 1,
        (fifth, "redshift", "received", None): 3,
        (fifth, "redshift", "accepted", None): 3,
        (sixth, "redshift", "received", None): 2,
        (sixth, "redshift", "accepted", None): 2,
    }
    assert [(report.day, report.rows, report.files) for report in reports] == [(fifth, 4, 2), (sixth, 2, 1)]
    assert all(report.bytes > 0 for report in reports)


def test_building_again_changes_nothing(landed: World) -> None:
    built(landed)
    before = [landed.table(table) for table in (CUSTOM_EVENTS, FATES, QUARANTINE)]
    built(landed)
    after = [landed.table(table) for table in (CUSTOM_EVENTS, FATES, QUARANTINE)]
    assert all(left.equals(right) for left, right in zip(before, after, strict=True))


def test_undated_records_are_quarantined_without_a_day_and_leave_the_table_alone(landed: World) -> None:
    built(landed)
    rows = landed.table(CUSTOM_EVENTS)
    landed.land("journey_webhooks", "acme", None, [journey("2026-01-05 11:00:00")])
    (report,) = built(landed, None)
    assert (report.day, report.rows, report.records("quarantined")) == (None, 0, 1)
    assert landed.table(CUSTOM_EVENTS).equals(rows)
    undated = landed.table(QUARANTINE).filter(pl.col("event_date").is_null())
    assert undated.select("asset", "door", "reason", "records").rows() == [
        ("custom_events", "journey_webhooks", "undated", 1)
    ]
    built(landed, None)
    assert landed.table(QUARANTINE).filter(pl.col("event_date").is_null()).height == 1


def test_one_asset_never_replaces_anothers_quarantine_or_fates(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00"), "{broken"])
    world.land("journey_webhooks", "acme", "2026-01-05", ["{broken"])
    build_from_doors(org, world.landing, world.lake, ESP_EVENTS, ("iterable_webhooks",), DAYS)
    built(world)
    built(world)
    assert world.table(QUARANTINE)["asset"].to_list() == ["custom_events", "esp_events"]
    assert set(world.table(FATES)["asset"]) == {"custom_events", "esp_events"}


def test_each_day_is_reported_once_before_the_commit(landed: World) -> None:
    seen: list[tuple[date | None, int]] = []
    built(landed, on_day=lambda report: seen.append((report.day, landed.table(CUSTOM_EVENTS).height)))
    assert seen == [(date(2026, 1, 5), 0), (date(2026, 1, 6), 0)]


def test_a_failure_on_the_last_day_leaves_nothing_of_the_first(landed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = build.open_day

    def failing(*arguments, **named):
        if arguments[3] == date(2026, 1, 6):
            raise StorageError("gone")
        return real(*arguments, **named)

    monkeypatch.setattr(build, "open_day", failing)
    with pytest.raises(StorageError, match=r"gone"):
        built(landed)
    assert landed.table(CUSTOM_EVENTS).is_empty()
    assert landed.table(FATES).is_empty()
    assert [found.key for found in landed.lake.root.list("acme") if found.name.endswith(".parquet")] == []


def test_the_notes_of_a_run_are_in_the_commit(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    built(world, note={"run_id": "run-7"})
    # Not on S3: history() holds the interpreter's lock while it waits for the server, a thread of this process.
    table = world.lake.open("acme", CUSTOM_EVENTS)
    assert table is not None
    assert table.history(1)[0]["run_id"] == "run-7"


def test_what_is_not_read_is_named(landed: World) -> None:
    for key in ("event_date=2026-1-5/a.parquet", "loose.parquet", "event_date=2026-01-06/0013_part_00"):
        landed.landing.write(f"redshift/acme/{key}", b"x")
    for number in range(7):
        landed.landing.write(f"webhooks/events/acme/event_date=2026-01-06/{number}-ada@example.com.csv", b"x")
    first, second = (report.marks for report in built(landed))
    assert first == (
        "redshift: not read, because it lies in no event_date=YYYY-MM-DD folder: "
        "redshift/acme/event_date=2026-1-5/, redshift/acme/loose.parquet",
    )
    assert second[1].endswith("the door's files: redshift/acme/event_date=2026-01-06/0013_part_00")
    assert second[0].endswith(" and 2 more")
    assert "ada" not in second[0]


def test_a_column_that_is_not_read_counts_the_records_of_the_files_that_have_it(landed: World) -> None:
    at = datetime(2026, 1, 6, 2, tzinfo=UTC)
    landed.drop("redshift", "acme", "2026-01-06", drop(at, 1).with_columns(note=pl.lit("x")), "0001_part_00")
    built(landed)
    assert fates(landed)[date(2026, 1, 6), "redshift", "unread_column", "note"] == 1
    assert fates(landed)[date(2026, 1, 6), "redshift", "received", None] == 3
