"""The benchmark of the automation, small: what it measures is what it says."""

from benchmarks.automation import automation_ticks


def test_an_idle_tick_costs_a_fraction_of_a_changing_one() -> None:
    idle, one, again, everyone = automation_ticks(orgs=12, days=60)
    assert (idle.requests, one.requests, everyone.requests) == (0, 1, 12)
    assert all(tick.is_within for tick in (idle, one, again, everyone))
    assert idle.cpu_seconds < everyone.cpu_seconds / 5, "an org that rests is not evaluated"
