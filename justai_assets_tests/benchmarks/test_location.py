"""The benchmark of many orgs, on few: it measures what it says."""

from __future__ import annotations

import pytest

from benchmarks.location import MAX_SNAPSHOT_BYTES, Load, loads, ticks


@pytest.fixture(scope="module")
def few_and_more() -> list[Load]:
    """Loads of three and of six orgs."""
    return list(loads([3, 6]))


def test_a_load_is_measured_in_a_process_of_its_own(few_and_more: list[Load]) -> None:
    load, _ = few_and_more
    assert load.orgs == 3
    assert load.marts == 7, "what is served is measured"
    assert load.assets >= 3 * 9 + load.marts
    assert load.seconds > load.build_seconds > 0
    assert 20_000 < load.snapshot_bytes < 2_000_000
    assert "3 orgs" in str(load)
    assert not Load(200, 1800, 7, 1.0, 11.0, 1.0, 1.0, 1).is_within
    assert not Load(200, 1800, 7, 1.0, 1.0, 1.0, 1.0, 26_000_000).is_within


def test_an_org_adds_no_more_to_the_snapshot_than_two_hundred_may(few_and_more: list[Load]) -> None:
    few, more = few_and_more
    an_org = (more.snapshot_bytes - few.snapshot_bytes) / 3
    assert few.snapshot_bytes + 197 * an_org < MAX_SNAPSHOT_BYTES


@pytest.mark.serial
def test_ticks_report_everything_once_and_then_nothing() -> None:
    found = list(ticks(orgs=3, days=4, doors=["iterable_webhooks", "redshift"]))
    assert [(tick.door, tick.reports) for tick in found if tick.kind.startswith("everything new")] == [
        ("iterable_webhooks", 12),
        ("iterable_webhooks", 0),
        ("redshift", 12),
        ("redshift", 0),
    ]
    assert {tick.reports for tick in found if not tick.kind.startswith("everything new")} == {0}
    assert all(tick.is_within and tick.visited == 3 and tick.memory_bytes > 0 for tick in found)
