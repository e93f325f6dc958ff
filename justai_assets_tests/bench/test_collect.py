import pytest

from justai_assets.bench.collect import CollectBench, bench_collect


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


def test_memory_that_grows_is_seen_and_flat_memory_is_flat() -> None:
    found = CollectBench(1000, 1, 1, memory=[(float(second), 100) for second in range(8)])
    assert found.memory_growth == 1.0
    found.memory = [(float(second), 100 + 10 * second) for second in range(8)]
    assert found.memory_growth > 1.2
