"""What is reported of the days that were looked at: pure rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from justai_assets.landing.day_changes import (
    EMPTY,
    GONE_SETTLE,
    Key,
    Landed,
    Mark,
    Memory,
    Unread,
    bridged,
    compare,
    differing_names,
)
from justai_assets.landing.listing import LandedDay
from justai_assets.storage import LandedObject

START = date(2026, 1, 1)
TODAY = date(2026, 1, 20)
NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
SETTLE = timedelta(minutes=5)
OLD = NOW - timedelta(days=1)


def landed(day: Key, *etags: str, at: datetime = OLD, is_complete: bool = False) -> Landed:
    objects = tuple(LandedObject(f"{day}/{n}.parquet", 5, etag, at) for n, etag in enumerate(etags))
    return Landed(LandedDay(day, objects, ()), is_complete=is_complete)


def judged(memory: Memory, *found: Landed, now: datetime = NOW, today: date = TODAY, limit: int = 100):
    return compare(
        memory,
        {one.day.day: one for one in found},
        start=START,
        today=today,
        now=now,
        settle=SETTLE,
        version=lambda one: one.listing,
        limit=limit,
    )


def days(changes) -> list[Key]:
    return [day.day for day, _ in changes.reports]


D = [START + timedelta(days=n) for n in range(19)]


def test_a_new_day_is_reported_once() -> None:
    first = judged(Memory(), landed(D[0], "a"))
    assert days(first) == [D[0]]
    assert days(judged(first.memory, landed(D[0], "a"))) == []


def test_the_same_key_with_new_content_is_a_change() -> None:
    first = judged(Memory(), landed(D[0], "a"))
    rewritten = landed(D[0], "b", at=NOW + timedelta(minutes=1))
    waits = judged(first.memory, rewritten, now=NOW + timedelta(minutes=2))
    assert days(waits) == []
    again = judged(waits.memory, rewritten, now=NOW + timedelta(minutes=6))
    assert days(again) == [D[0]]
    assert again.reports[0][1] != first.reports[0][1]


def test_a_day_being_written_waits_until_it_is_unchanged_for_the_settle_time() -> None:
    writing = landed(D[0], "a", at=NOW - timedelta(seconds=299))
    waits = judged(Memory(), writing)
    assert days(waits) == []
    assert days(judged(waits.memory, writing, now=NOW + timedelta(seconds=1))) == [D[0]]


def test_a_file_added_while_waiting_starts_the_wait_anew() -> None:
    waits = judged(Memory(), landed(D[0], "a", at=NOW))
    more = landed(D[0], "a", "b", at=NOW + timedelta(minutes=4))
    later = judged(waits.memory, more, now=NOW + timedelta(minutes=6))
    assert days(later) == []
    assert days(judged(later.memory, more, now=NOW + timedelta(minutes=9))) == [D[0]]


def test_a_day_its_writer_calls_complete_does_not_wait() -> None:
    assert days(judged(Memory(), landed(D[0], "a", at=NOW, is_complete=True))) == [D[0]]


def test_a_vanished_day_is_reported_gone_after_the_settle_time_and_then_forgotten() -> None:
    known = judged(Memory(), landed(D[0], "a"), landed(D[1], "b")).memory
    gone = (landed(D[0]), landed(D[1], "b"))
    first = judged(known, *gone)
    assert days(first) == [], "an overwrite deletes before it writes"
    second = judged(first.memory, *gone, now=NOW + SETTLE)
    assert [(day.day, version) for day, version in second.reports] == [(D[0], EMPTY)]
    assert D[0] not in second.memory.marks
    assert days(judged(second.memory, *gone, now=NOW + 2 * SETTLE)) == []


def test_a_single_deleted_file_is_a_change_although_nothing_new_was_written() -> None:
    known = judged(Memory(), landed(D[0], "a", "b")).memory
    first = judged(known, landed(D[0], "a"))
    assert days(first) == []
    assert days(judged(first.memory, landed(D[0], "a"), now=NOW + SETTLE)) == [D[0]]


def test_when_every_known_day_is_gone_at_once_it_is_not_believed_for_an_hour() -> None:
    known = judged(Memory(), *(landed(day, "a") for day in D[:10])).memory
    gone = [landed(day) for day in D[:10]]
    first = judged(known, *gone)
    assert first.is_gone
    soon = judged(first.memory, *gone, now=NOW + GONE_SETTLE - timedelta(seconds=1))
    assert days(soon) == []
    assert days(judged(soon.memory, *gone, now=NOW + GONE_SETTLE)) == D[:10]


def test_one_of_many_days_gone_is_believed() -> None:
    known = judged(Memory(), *(landed(day, "a") for day in D[:10])).memory
    first = judged(known, landed(D[3]))
    assert not first.is_gone
    assert days(judged(first.memory, landed(D[3]), now=NOW + SETTLE)) == [D[3]]


def test_a_day_before_the_start_is_counted_and_reported_when_the_start_moves() -> None:
    before = landed(START - timedelta(days=1), "a")
    first = judged(Memory(), before)
    assert (days(first), first.early) == ([], 1)
    moved = compare(
        first.memory, {before.day.day: before}, start=START - timedelta(days=5), today=TODAY, now=NOW, settle=SETTLE,
        version=lambda one: one.listing, limit=10,
    )  # fmt: skip
    assert days(moved) == [START - timedelta(days=1)]


def test_a_future_day_is_kept_for_its_day() -> None:
    tomorrow = TODAY + timedelta(days=1)
    first = judged(Memory(), landed(tomorrow, "a"))
    assert (days(first), first.late) == ([], 1)
    then = judged(first.memory, landed(tomorrow, "a"), today=tomorrow, now=NOW + timedelta(days=1))
    assert days(then) == [tomorrow]


def test_days_beyond_the_limit_are_held_back_and_not_forgotten() -> None:
    found = [landed(day, "a") for day in D[:5]]
    first = judged(Memory(), *found, limit=3)
    assert (days(first), first.held_back) == (D[:3], 2)
    assert days(judged(first.memory, *found)) == D[3:5]


def test_a_day_that_is_too_long_to_read_holds_back_those_after_it_but_not_what_needs_no_reading() -> None:
    known = judged(Memory(), landed(D[3], "a")).memory
    asked: list[Key] = []

    def version(found: Landed) -> str | Unread:
        asked.append(found.day.day)
        return Unread.LATE if found.day.day == D[1] else found.listing

    found = {one.day.day: one for one in (*(landed(day, "a") for day in D[:3]), landed(D[3]))}
    rule = {"start": START, "today": TODAY, "settle": timedelta(0), "limit": 9}
    changes = compare(known, found, now=NOW, version=version, **rule)
    assert days(changes) == [D[0], D[3]]
    assert (asked, changes.held_back) == ([D[0], D[1]], 2)
    assert changes.memory.waiting == {}
    assert days(compare(changes.memory, found, now=NOW, version=lambda one: one.listing, **rule)) == D[1:3]


def test_undated_records_come_after_the_days_and_know_no_calendar() -> None:
    assert days(judged(Memory(), landed(None, "a"), landed(D[0], "a"))) == [D[0], None]


def test_a_day_whose_bytes_are_the_same_is_adopted_in_silence() -> None:
    memory = Memory({D[0]: Mark("listing-1", "bytes")})
    found = landed(D[0], "rewritten")
    later = {"start": START, "today": TODAY, "settle": timedelta(0), "version": lambda _: "bytes", "limit": 9}
    changes = compare(memory, {D[0]: found}, now=NOW, **later)
    assert days(changes) == []
    assert changes.memory.marks[D[0]] == Mark(found.listing, "bytes")


def test_a_file_that_moves_while_it_is_read_is_looked_at_again() -> None:
    changes = compare(
        Memory(), {D[0]: landed(D[0], "a")}, start=START, today=TODAY, now=NOW, settle=SETTLE,
        version=lambda _: Unread.MOVED, limit=9,
    )  # fmt: skip
    assert days(changes) == []
    assert D[0] in changes.memory.waiting


def test_a_storage_clock_ahead_of_ours_does_not_hold_a_day_for_ever() -> None:
    ahead = landed(D[0], "a", at=NOW + timedelta(days=400))
    first = judged(Memory(), ahead)
    assert days(judged(first.memory, ahead, now=NOW + SETTLE)) == [D[0]]


def test_a_manifest_counts_only_where_it_differs_from_what_lies_there() -> None:
    day = landed(D[0], "a", "b").day
    assert differing_names(day, {}) == ()
    assert differing_names(day, {"0.parquet": 1, "1.parquet": 1}) == ()
    stale = Landed(day, differing_names(day, {"0.parquet": 1}))
    missing = Landed(day, differing_names(day, {"0.parquet": 1, "1.parquet": 1, "2.parquet": 7}))
    assert len({Landed(day).listing, stale.listing, missing.listing}) == 3


def test_a_burst_with_many_gaps_is_joined_over_days_without_an_object_and_no_others() -> None:
    reports = [(landed(D[n], "a").day, "v") for n in (0, 2, 3, 5, 7, 10)]
    looked = {D[n]: landed(D[n], "a") for n in (0, 2, 3, 5, 6, 7, 10)}
    joined = [(day.day, version) for day, version in bridged(reports, looked, D)]
    empty = [day for day, version in joined if version == EMPTY]
    assert empty == [D[1], D[4], D[8], D[9]], "the 6th has objects and did not change"
    assert [day for day, _ in joined] == sorted(day for day, _ in joined)
    assert bridged(reports[:3], looked, ()) == reports[:3], "two ranges are two runs"
    undated = (landed(None, "a").day, "v")
    assert bridged([*reports, undated], looked, ())[-1] == undated


def test_days_far_apart_are_joined_when_they_land_for_the_first_time_and_not_when_they_are_rewritten() -> None:
    reports = [(landed(D[n], "a").day, "v") for n in (0, 4, 9, 12)]
    looked = {day.day: landed(day.day, "a") for day, _ in reports}
    assert [day.day for day, _ in bridged(reports, looked, ())] == D[:13]
    near = [D[10], D[11]]
    assert [day.day for day, version in bridged(reports, looked, D) if version == EMPTY] == near
    mixed = bridged(reports, looked, {D[9]})
    assert [day.day for day, version in mixed if version == EMPTY] == [D[1], D[2], D[3], *near]


@given(
    st.lists(st.dictionaries(st.sampled_from(D[:6]), st.sampled_from("abc"), max_size=6), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
    st.integers(1, 3),
)
def test_whatever_happens_and_crashes_the_last_report_of_each_day_is_its_last_content(
    history: list[dict[date, str]], crashes: set[int], limit: int
) -> None:
    """Reports of a crashed tick arrive, but its memory does not: only the intent tells which days it reported."""
    memory = Memory()
    reported: dict[date, str] = {}
    known: set[date] = set()
    now = NOW

    def tick(state: dict[date, str], *, is_crash: bool) -> None:
        nonlocal memory, now
        now += timedelta(hours=2)
        known.update(state)
        found = [landed(day, *([state[day]] if day in state else [])) for day in sorted(known)]
        changes = judged(memory, *found, now=now, limit=limit)
        reported.update({day.day: version for day, version in changes.reports})
        memory = memory.unsure_of(days(changes)) if is_crash else changes.memory

    for index, state in enumerate(history):
        tick(state, is_crash=index in crashes)
    for _ in range(2 * len(D)):
        tick(history[-1], is_crash=False)
    current = {day: landed(day, etag).listing for day, etag in history[-1].items()}
    assert {day: version for day, version in reported.items() if version != EMPTY} == current
    assert memory.waiting == {}
