from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.mirror_state import MirrorState
from justai_assets.sources.delta_share.plan import MAX_BRIDGED_DAYS, Plan, batches, make_plan
from justai_assets.sources.delta_share.protocol import SharedFile

FIRST = date(2026, 1, 1)


def day(offset: int) -> date:
    return FIRST + timedelta(days=offset)


file_sets = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.frozensets(st.one_of(st.none(), st.integers(0, 60).map(day)), min_size=1, max_size=4),
)


def listed(files: dict[str, frozenset[date | None]]) -> list[tuple[SharedFile, frozenset[date | None]]]:
    return [(SharedFile(id_, "", 10), days) for id_, days in files.items()]


def content(files: dict[str, frozenset[date | None]]) -> dict[date | None, set[str]]:
    return {one: {id_ for id_, days in files.items() if one in days} for days_ in files.values() for one in days_}


def planned(before: dict[str, frozenset[date | None]], after: dict[str, frozenset[date | None]]) -> Plan:
    return make_plan(listed(after), MirrorState("t", days=make_plan(listed(before), MirrorState("t")).prints))


@given(file_sets, file_sets)
def test_exactly_the_days_whose_files_differ_are_written_and_the_lost_ones_emptied(
    before: dict[str, frozenset[date | None]], after: dict[str, frozenset[date | None]]
) -> None:
    plan = planned(before, after)
    was, now = content(before), content(after)
    assert set(plan.changed) == {one for one in now if now[one] != was.get(one)}
    assert set(plan.vanished) == was.keys() - now.keys()
    assert plan.kept == {one for one in now if now[one] == was.get(one)}


@given(file_sets, file_sets, st.integers(1, 200))
def test_commits_cover_every_touched_day_once_and_no_kept_one(
    before: dict[str, frozenset[date | None]], after: dict[str, frozenset[date | None]], limit: int
) -> None:
    plan = planned(before, after)
    touched: list[date | None] = []
    covered: list[date | None] = []
    for span, days in batches(plan, limit):
        touched += days
        covered += list(span) if span is not None else [None]
    assert sorted(touched, key=str) == sorted((*plan.changed, *plan.vanished), key=str)
    assert len(covered) == len(set(covered))
    assert not set(covered) & plan.kept


def test_a_run_of_days_is_one_commit_until_its_files_weigh_too_much() -> None:
    plan = make_plan(listed({"a": frozenset({day(0)}), "b": frozenset({day(1)}), "c": frozenset({day(2)})}), empty())
    assert [span for span, _ in batches(plan, 1000)] == [Days(day(0), day(2))]
    assert [span for span, _ in batches(plan, 20)] == [Days(day(0), day(1)), Days(day(2), day(2))]


def test_a_wide_gap_without_content_parts_two_commits() -> None:
    near, far = day(MAX_BRIDGED_DAYS + 1), day(MAX_BRIDGED_DAYS + 2)
    assert len(list(batches(make_plan(listed({"a": frozenset({day(0), near})}), empty()), 1000))) == 1
    assert len(list(batches(make_plan(listed({"a": frozenset({day(0), far})}), empty()), 1000))) == 2


def test_days_the_feed_does_not_name_are_kept_whatever_the_list_says() -> None:
    state = MirrorState("t", days={day(0): "old", day(1): "old", day(2): "old"})
    plan = make_plan(listed({"a": frozenset({day(0), day(1)})}), state, frozenset({day(1), day(2)}))
    assert (plan.changed, plan.vanished, plan.kept) == ((day(1),), (day(2),), frozenset({day(0)}))


def empty() -> MirrorState:
    return MirrorState("t")
