from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.attribution.engine.latest_sends import EVENT, SEND, latest
from justai_assets.attribution.engine.person_keys import KeyCollisionError
from justai_assets.attribution.engine.record_buckets import Records
from justai_assets.attribution.rule import Bounds, Rule

# Keys that agree in leading bits, in trailing bits, and in none.
keys = st.sampled_from([0, 1, 2, 1 << 20, (1 << 20) + 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1])
near = st.integers(0, 6)
apart = st.sampled_from([0, 1, 1 << 40, (1 << 40) + 1, 1 << 45, 1 << 61, (1 << 61) + 1, -(1 << 61)])


def pairs_of_lists(times: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[list[tuple[int, int]], ...]]:
    some = st.lists(st.tuples(keys, times), max_size=25)
    return st.tuples(some, some)


def sends(rows: list[tuple[int, int]], check: int = 0) -> Records:
    return np.array([(key, ts, 100 + n, check) for n, (key, ts) in enumerate(rows)], SEND)


def events(rows: list[tuple[int, int]], check: int = 0) -> Records:
    return np.array([(key, ts, n, check) for n, (key, ts) in enumerate(rows)], EVENT)


@settings(max_examples=400, deadline=None)
@given(st.one_of(pairs_of_lists(near), pairs_of_lists(apart), pairs_of_lists(st.one_of(near, apart))), st.booleans())
def test_each_event_gets_the_latest_send_of_its_key_and_the_whole_tie(
    both: tuple[list[tuple[int, int]], list[tuple[int, int]]], has_end: bool
) -> None:
    sent, happened = both
    found = latest(sends(sent), events(happened), Rule(bounds=Bounds(has_end=has_end)))
    expected = {}
    for number, (key, ts) in enumerate(happened):
        prior = [at for one, at in sent if one == key and (at <= ts if has_end else at < ts)]
        if prior:
            expected[number] = {n for n, row in enumerate(sent) if row == (key, max(prior))}
    assert sorted(found.event.tolist()) == sorted(expected)
    for event, send, tie in zip(found.event.tolist(), found.send.tolist(), found.tie.tolist(), strict=True):
        group = set(found.tied[found.tied_in == tie].tolist()) if tie else {send}
        assert group == expected[event]
        assert (tie > 0) == (len(group) > 1)
        assert send in group


def test_leading_bits_that_a_bucket_shares_leave_room_for_more_of_the_key() -> None:
    rows = [((0b101 << 61) + n, n) for n in range(1000)]
    found = latest(sends(rows), events(rows), Rule(), known_bits=3)
    assert np.array_equal(np.sort(found.event), np.arange(1000))
    assert np.array_equal(found.event, found.send)


def test_a_tie_of_many_sends_and_many_events_is_listed_once() -> None:
    found = latest(sends([(7, 1)] * 1000), events([(7, 2)] * 1000), Rule())
    assert len(found.tied) == 1000
    assert set(found.tie.tolist()) == {1}


def test_a_key_that_stands_for_two_persons_is_seen() -> None:
    with pytest.raises(KeyCollisionError):
        latest(sends([(7, 1)], check=1), events([(7, 2)], check=2), Rule())
    assert len(latest(sends([(7, 3)], check=1), events([(7, 2)], check=2), Rule()).event) == 0
