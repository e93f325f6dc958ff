"""The benchmark of `justai status`, small: it measures what it says."""

from benchmarks.status_cost import StatusCost, status_cost


def test_status_is_called_as_typed_over_orgs_whose_tables_are_built() -> None:
    (found,) = status_cost(orgs=2, days=40, repeats=1)
    assert (found.orgs, found.days, found.doors) == (2, 40, 6)
    assert found.cpu_seconds > 0
    assert "2 orgs × 40 days, 6 lines" in str(found)
    assert not StatusCost(200, 400, 5.1, 600).is_within
