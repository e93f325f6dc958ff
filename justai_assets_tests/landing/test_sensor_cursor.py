"""Whose turn it is, and what a cursor is worth."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.landing.sensor_cursor import MAX_ABSENT, Cursor, Place, decode, encode, kept, turns

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
FRESH = int(NOW.timestamp()) - 60

PLACES = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True),
    st.builds(Place, st.text("0123456789abcdef", max_size=20), st.integers(0, 2**32), st.none() | st.dates()),
    max_size=5,
)


@given(PLACES, st.integers(0, 2**50), st.integers(0, 2**31))
def test_a_cursor_comes_back_as_it_was(places: dict[str, Place], hint: int, tick: int) -> None:
    cursor = Cursor(places, "acme", (("acme", "ff"),), hint, tick)
    assert decode(encode(cursor)) == cursor


@pytest.mark.parametrize("text", [None, "", "x", "[]", "{}", '{"version": 2}', '{"version": 1, "places": 3}'])
def test_a_cursor_that_cannot_be_read_knows_nothing(text: str | None) -> None:
    assert decode(text) == Cursor()


def test_the_turns_begin_where_the_last_tick_stopped() -> None:
    assert [turn.slug for turn in turns("abcd", Cursor(next="c"), NOW)] == ["c", "d", "a", "b"]
    assert [turn.slug for turn in turns("abd", Cursor(next="c"), NOW)] == ["d", "a", "b"], "an org that was removed"


def test_a_sweep_is_due_at_first_after_an_hour_when_cut_off_and_when_asked_for() -> None:
    places = {
        "fresh": Place("m", FRESH),
        "old": Place("m", FRESH - 3600),
        "cut": Place("m", FRESH, date(2026, 1, 1)),
        "asked": Place("m", FRESH),
    }
    due = {turn.slug for turn in turns([*places, "new"], Cursor(places), NOW, sweep=["asked"]) if turn.is_sweep}
    assert due == {"old", "cut", "asked", "new"}


def test_an_org_that_is_gone_keeps_its_place_within_a_bound() -> None:
    places = {f"gone-{n}": Place("m") for n in range(MAX_ABSENT + 5)} | {"here": Place("m")}
    left = kept(places, ["here"])
    assert "here" in left
    assert len(left) == MAX_ABSENT + 1
    assert "gone-0" not in left


def test_two_hundred_orgs_fit_many_times_into_the_cursor() -> None:
    places = {f"organisation-number-{n}": Place("f" * 20, FRESH) for n in range(200)}
    discard = tuple((slug, "f" * 20) for slug in places)
    assert len(encode(Cursor(places, "", discard))) < 30_000
