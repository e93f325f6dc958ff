"""When a writer's own signs say that a day is complete."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from justai_assets.landing.day_completeness import DoorSigns, is_complete, parse_manifest
from justai_assets.landing.listing import LandedDay
from justai_assets.storage import LandedObject

DAY = date(2026, 1, 5)
T = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(name: str, minutes: int = 0, size: int = 10) -> LandedObject:
    return LandedObject(f"redshift/acme/event_date={DAY}/{name}", size, name, T + timedelta(minutes=minutes))


def day(*data: LandedObject, signs: tuple[LandedObject, ...] = ()) -> LandedDay:
    return LandedDay(DAY, data, signs)


def manifest(*names: str, length: int = 10, minutes: int = 1) -> DoorSigns:
    entries = [
        {"url": f"s3://b/redshift/acme/event_date={DAY}/{name}", "meta": {"content_length": length, "record_count": 3}}
        for name in names
    ]
    return DoorSigns(None, at("manifest", minutes), parse_manifest(json.dumps({"entries": entries}).encode()))


def test_without_a_sign_nothing_is_complete() -> None:
    assert not is_complete(day(at("a.parquet")), DoorSigns())
    assert not is_complete(day(), DoorSigns(success=at("_SUCCESS", 5)))


def test_a_success_marker_inside_or_beside_the_day_counts_when_it_is_no_older_than_the_data() -> None:
    assert is_complete(day(at("a.parquet"), signs=(at("_SUCCESS", 0),)), DoorSigns())
    assert is_complete(day(at("a.parquet")), DoorSigns(success=at("_SUCCESS", 1)))
    assert not is_complete(day(at("a.parquet", 2), signs=(at("_SUCCESS", 1),)), DoorSigns())


def test_a_manifest_beside_the_days_counts_when_all_it_names_is_there_in_full() -> None:
    assert is_complete(day(at("a.parquet")), manifest("a.parquet"))
    assert is_complete(day(at("a.parquet"), at("stale.parquet")), manifest("a.parquet"))
    assert not is_complete(day(at("a.parquet")), manifest("a.parquet", "b.parquet"))
    assert not is_complete(day(at("a.parquet", size=9)), manifest("a.parquet"))
    assert not is_complete(day(at("a.parquet", 2)), manifest("a.parquet", minutes=1))
    assert not is_complete(day(at("a.parquet")), manifest())


def test_a_manifest_of_the_days_own_goes_before_the_one_beside() -> None:
    own = day(at("a.parquet", 5), signs=(at("manifest", 1),))
    assert not is_complete(own, manifest("a.parquet", minutes=9))
    assert is_complete(day(at("a.parquet"), signs=(at("manifest", 1),)), DoorSigns())


def test_databricks_is_complete_when_every_transaction_that_was_opened_is_closed() -> None:
    data = at("part-0-tid-1-x.parquet")
    assert is_complete(day(data, signs=(at("_started_1", 0, 0), at("_committed_1", 1))), DoorSigns())
    opened = (at("_started_1", 0, 0), at("_committed_1", 1), at("_started_2", 2, 0), at("_SUCCESS", 3))
    assert not is_complete(day(data, signs=opened), DoorSigns())
    assert not is_complete(day(at("part.parquet", 5), signs=(at("_committed_1", 1),)), DoorSigns())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"entries": 3}', b'{"entries": [1]}', b"\xff", b"null"])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_manifest(content)


def test_a_manifest_names_files_by_day_and_skips_those_of_none() -> None:
    content = {"entries": [{"url": "s3://b/x/event_date=2026-01-05/a%20b.parquet"}, {"url": "s3://b/x/other"}]}
    assert {key: dict(one.records) for key, one in parse_manifest(json.dumps(content).encode()).items()} == {
        DAY: {"a b.parquet": 1}
    }
