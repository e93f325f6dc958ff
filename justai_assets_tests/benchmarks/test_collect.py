from typing import Any

import pytest

from benchmarks.collect import CollectBench, bench_collect


@pytest.mark.serial
@pytest.mark.slow
def test_the_bench_measures_both_servers_and_every_acknowledged_event_lands() -> None:
    found = bench_collect(rounds=1, seconds=1.0, paced_seconds=1.0, connections=32)
    assert found.sent == found.landed > 500
    assert found.bare[0] > 0
    # Figures depend on the machine and its neighbours; a door that costs ten times a bare server is a mistake in ours.
    assert found.ratio > 0.1
    assert 950 < found.body_bytes < 1050
    report = "\n".join(found.lines())
    assert "ratio to the bare server" in report
    assert "target every acknowledged event landed once: held" in report


def test_memory_that_grows_is_seen_and_flat_memory_is_flat() -> None:
    found = CollectBench(1000, 1, 1, memory=[(float(second), 100) for second in range(8)])
    assert found.memory_growth == 1.0
    found.memory = [(float(second), 100 + 10 * second) for second in range(8)]
    assert found.memory_growth > 1.2


def verdicts(**changes: Any) -> list[str]:
    """What is said of each target, in order."""
    whole = [(75.0 * turn, 100) for turn in range(1, 6)]
    given: dict[str, Any] = {"bare": [9000.0], "doors": [4500.0], "paced_p99": 0.05, "memory": whole, **changes}
    return [line.rpartition(": ")[2] for line in CollectBench(1000, 256, 1, **given).verdicts()]


def test_targets_are_held_at_their_edge_and_missed_beyond_it() -> None:
    assert verdicts() == ["held"] * 5
    assert verdicts(doors=[4499.0])[0] == "missed"
    assert verdicts(bare=[8000.0], doors=[3999.0])[1] == "missed"
    assert verdicts(paced_p99=0.051)[2] == "missed"
    assert verdicts(memory=[(75.0 * turn, 100 + 20 * turn) for turn in range(1, 9)])[3] == "missed"
    assert verdicts(sent=2, landed=1)[4] == "missed"


def test_a_run_that_cannot_tell_says_why() -> None:
    assert verdicts(bare=[7000.0])[1] == "it reaches 7000/s here"
    assert verdicts(memory=[(10.0, 100)])[3] == "not measured in 10 s; give --paced-seconds 300"
