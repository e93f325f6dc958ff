from __future__ import annotations

import pytest

from justai_assets.attribution.engine.memory_limits import Limits

MB = 1 << 20


@pytest.mark.parametrize("rows", [0, 10, 10**6, 10**8, 10**10])
@pytest.mark.parametrize("budget", [1, 64 * MB, 512 * MB, 64_000 * MB])
def test_the_cut_is_usable_for_any_size_and_budget(rows: int, budget: int) -> None:
    limits = Limits.of(rows, budget)
    assert limits.buckets & (limits.buckets - 1) == 0
    assert 1 <= limits.buckets <= 32_768
    assert limits.workers >= 1
    assert limits.resident >= MB
    assert limits.chunk_rows >= 50_000


def test_more_rows_mean_more_buckets_not_more_memory() -> None:
    small, large = Limits.of(10**7, 1024 * MB), Limits.of(10**8, 1024 * MB)
    assert large.buckets > small.buckets
    assert (large.resident, large.chunk_rows) == (small.resident, small.chunk_rows)


def test_a_smaller_budget_holds_less() -> None:
    small, large = Limits.of(10**8, 100 * MB), Limits.of(10**8, 4096 * MB)
    assert small.resident < large.resident
    assert small.workers <= large.workers
