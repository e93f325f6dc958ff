from __future__ import annotations

from justai_assets.dag.share_turns import Turn, due, read_turns, write_turns


def test_shares_are_asked_in_turn_and_failing_ones_after_a_growing_wait() -> None:
    turns = {"a": Turn(polled=100.0), "b": Turn(polled=50.0)}
    assert due(turns, ["a", "b", "new"], 200.0) == ["new", "b", "a"]
    failing = {"a": Turn(polled=100.0, failures=2)}
    assert due(failing, ["a"], 219.0) == []
    assert due(failing, ["a"], 220.0) == ["a"]
    assert due({"a": Turn(failures=99)}, ["a"], 3600.0) == ["a"]


def test_other_work_starts_at_once_and_the_same_work_after_a_growing_wait() -> None:
    first = Turn().starts("v1", 1000.0)
    assert first is not None
    assert first.starts("v1", 1059.0) is None
    second = first.starts("v1", 1060.0)
    assert second is not None
    assert second.starts("v1", 1179.0) is None
    assert (second.tries, second.requested) == (2, 1060.0)
    other = second.starts("v2", 1061.0)
    assert other is not None
    assert other.tries == 1


def test_a_share_that_is_up_to_date_forgets_its_work() -> None:
    done = Turn(work="v1", tries=3, failures=2).up_to_date(2000.0)
    assert done.starts("v1", 2000.0) == Turn(polled=2000.0, work="v1", tries=1, requested=2000.0)


def test_turns_survive_a_cursor_and_orgs_that_left_do_not() -> None:
    turns = {"a": Turn(1.0, 2, "v1", 3, 4.0), "gone": Turn()}
    assert read_turns(write_turns(turns), ["a"]) == {"a": turns["a"]}
    assert read_turns(None, ["a"]) == {}
    assert read_turns('{"a": {"polled": 1.0, "failures": 2}}', ["a"]) == {"a": Turn(1.0, 2)}, "as earlier code kept it"
