from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.sources.delta_share.file_days import days_text, fingerprints, known_days, parse_days
from justai_assets.sources.delta_share.protocol import SharedFile

DAY = date(2026, 1, 2)
some_days = st.frozensets(
    st.one_of(st.none(), st.integers(0, 40).map(lambda offset: DAY + timedelta(days=offset))), max_size=20
)


@given(some_days)
def test_days_survive_being_written_as_text(days: frozenset[date | None]) -> None:
    assert parse_days(days_text(days)) == days


def file(id_: str = "a", size: int = 1, **how: object) -> SharedFile:
    return SharedFile(id_, "https://store.example/a?key", size, **how)


@pytest.mark.parametrize(
    ("given_file", "learned", "days"),
    [
        (file(partition={"event_date": "2026-01-02"}), {}, {DAY}),
        (file(partition={"event_date": None}), {}, {None}),
        (file(partition={"region": "eu"}), {}, None),
        (file(first=DAY, last=DAY, has_undated=False), {}, {DAY}),
        (file(first=DAY, last=DAY, has_undated=True), {}, None),
        (file(first=DAY, last=DAY), {}, None),
        (file(first=DAY, last=DAY + timedelta(days=1), has_undated=False), {}, None),
        (file(), {"a": "2026-01-02,undated"}, {DAY, None}),
        (file(), {"b": "2026-01-02"}, None),
    ],
)
def test_a_files_days_come_from_partition_statistics_or_memory(
    given_file: SharedFile, learned: dict[str, str], days: set[date | None] | None
) -> None:
    assert known_days(given_file, learned) == (None if days is None else frozenset(days))


@pytest.mark.parametrize("value", ["10000-01-01", "+52026-11-20", "-0001-01-01", "first of May"])
def test_rows_of_a_partition_value_that_no_date_can_be_are_undated(value: str) -> None:
    assert known_days(file(partition={"event_date": value}), {}) == {None}


def test_a_fingerprint_knows_files_not_their_order_or_address() -> None:
    one, two = file("a"), file("b")
    forward = fingerprints([(one, frozenset({DAY})), (two, frozenset({DAY}))])
    moved = SharedFile("a", "https://elsewhere.example", 1)
    assert forward == fingerprints([(two, frozenset({DAY})), (moved, frozenset({DAY}))])
    assert forward != fingerprints([(one, frozenset({DAY}))])
    assert forward != fingerprints([(file("a", size=2), frozenset({DAY})), (two, frozenset({DAY}))])


def test_the_address_of_a_file_is_not_shown() -> None:
    assert "store.example" not in repr(file())
